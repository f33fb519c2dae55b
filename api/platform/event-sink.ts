import type { EventSink } from "../control/outbox.ts";
import type { OutgoingHttp } from "../env.ts";

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 1024;

/**
 * Posts events as JSON to an address that the operator chose. The receiver has an event when it answers 2xx; it may
 * see one twice, and tells by `seq`.
 */
export function httpSink(http: OutgoingHttp, url: string): EventSink {
  return {
    async deliver({ seq, tenant_id, at_ms, actor, kind, subject_id, payload, hash }) {
      const body = `{"seq":${seq},"tenant":${JSON.stringify(tenant_id)},"at_ms":${at_ms},"actor":${JSON.stringify(actor)},"kind":${JSON.stringify(kind)},"subject":${JSON.stringify(subject_id)},"payload":${payload},"hash":"${hash}"}`;
      const { status } = await http.send({
        method: "POST",
        url,
        headers: { "content-type": "application/json", "webhook-id": `evt-${seq}` },
        body,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MOST_BYTES,
      });
      return status >= 200 && status < 300;
    },
  };
}
