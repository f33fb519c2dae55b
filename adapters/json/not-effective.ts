/**
 * Fields of an intent that are read and kept, but change no decision yet: each one stated is answered with a
 * warning that names it. A path covers everything below it. Remove an entry when its constraint takes effect.
 */
export const notEffective: readonly string[] = [
  "intent.constraints.availability",
  "intent.constraints.energy",
  "intent.constraints.security.network_isolation",
  "intent.constraints.security.firewall_rules",
  "intent.constraints.security.vpn_access",
  "intent.constraints.security.bastion_host",
  "intent.constraints.security.intrusion_detection",
  "intent.constraints.security.vulnerability_scanning",
  "intent.constraints.performance",
  "intent.constraints.compliance",
  "intent.constraints.spread",
  "intent.constraints.negotiation.max_negotiation_rounds",
  "intent.constraints.negotiation.price_flexibility",
  "intent.constraints.negotiation.resource_flexibility",
  "intent.constraints.negotiation.timeout_seconds",
  "intent.constraints.negotiation.auto_accept_threshold",
  "intent.bid",
  "intent.workload.deployment_strategy",
  "intent.workload.communication_pattern",
  "intent.workload.evictable",
  "intent.workload.min_runtime",
  "intent.workload.batch.checkpoint_interval",
  "intent.workload.resources.gpu.fraction",
  "intent.workload.resources.gpu.mig_profile",
  "intent.workload.resources.gpu.shared",
  "intent.sla.max_interruption_time",
  "intent.sla.backup_strategy",
];
