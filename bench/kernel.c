// The kernel (assembly/) in C, over an image of its memory: what the same algorithm takes as native code.
//
//   gcc -O3 -msse4.2 -mpopcnt -DWIDTH=128 kernel.c        the vectors WebAssembly has
//   gcc -O3 -march=native -DWIDTH=512 kernel.c            the widest there are
//
//   kernel IMAGE REPEATS -> one JSON line {"single": us, "batch": us, "checksum": [single, batch]}
//   kernel               -> the same of {"stream": bytes/s}
//
// Image: u32 bytes of memory, tiles, jobs, then per job u32 address, own, outputs, queries, cuts, cut words; u32[8] per
// query, what its output block holds at the start; u32[4 * constraints] per query: failed and unknown rows known
// beforehand, zeroes, and which cut word holds further failed ones (from 1; 0 none). Then the memory. The last job is the
// batch. Structures are as assembly/ draws.
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;

#ifndef WIDTH
#define WIDTH 128
#endif
typedef u64 vector __attribute__((vector_size(WIDTH / 8), may_alias));
enum { TILE = 1024, BITMAP = 128, VECTORS = TILE / WIDTH, OWN_SCRATCH = 384, OWN_ROWS = 576, OWN_SCORES = 4752, OWN_SLOTS = 8960 };
#define UNROLL _Pragma("GCC unroll 8")
#define EACH UNROLL for (int v = 0; v < VECTORS; v++)
#define HALF UNROLL for (int v = 0; v < VECTORS / 2; v++)

static u8 *memory;

static inline u32 word(u32 at) { return *(u32 *)(memory + at); }
static inline u32 *words(u32 at) { return (u32 *)(memory + at); }
static inline vector fill(u64 value) { return (vector){0} + value; }

static void compare(const vector *planes, int bits, i32 c, vector *out, int negate) {
  vector a[VECTORS];
  EACH a[v] = fill(c < 0 ? ~0ull : 0);
  int bit = c < 0 ? 32 : __builtin_ctz(~c);
  for (planes += bit * VECTORS; bit < bits; bit++, planes += VECTORS)
    if ((c >> bit) & 1) {
      EACH a[v] &= planes[v];
    } else {
      EACH a[v] |= planes[v];
    }
  if (negate) {
    EACH out[v] |= ~a[v];
  } else {
    EACH out[v] = a[v];
  }
}

static int compare_around(const vector *planes, int bits, i32 c, vector *out, vector *equal, int below) {
  vector a[VECTORS / 2], e[VECTORS / 2];
  HALF {
    a[v] = fill(0);
    e[v] = fill(~0ull);
  }
  for (int bit = 0; bit < bits; bit++, planes += VECTORS)
    if ((c >> bit) & 1) {
      HALF {
        vector p = planes[v];
        a[v] &= p;
        e[v] &= p;
      }
    } else {
      HALF {
        vector p = planes[v];
        a[v] |= p;
        e[v] &= ~p;
      }
    }
  vector some = fill(0);
  HALF {
    if (below) a[v] = ~(a[v] | e[v]);
    out[v] |= a[v];
    equal[v] = e[v];
    some |= e[v];
  }
#if WIDTH == 512
  return _mm512_test_epi64_mask((__m512i)some, (__m512i)some) != 0;
#else
  return !_mm_testz_si128((__m128i)some, (__m128i)some);
#endif
}

static void by_value(u32 predicate, u32 row, u64 *out, const u64 *equal, int low, u32 *cut, u32 live) {
  u32 values = word(predicate + 32);
  int doubles = word(predicate + 28) & 16;
  double min = *(double *)(memory + predicate + 48), max = *(double *)(memory + predicate + 56);
  u32 least = word(predicate + 36), most = word(predicate + 40);
  for (int at = 0; at < 8; at++, row += 64) {
    u64 bad = 0;
    if (!equal[at]) continue;
    for (u64 left = equal[at]; left; left &= left - 1) {
      int bit = __builtin_ctzll(left);
      int fails;
      if (doubles) {
        double value = ((double *)(memory + values))[row + bit];
        fails = low ? value < min : value > max;
      } else {
        u32 rest = ((u16 *)(memory + values))[row + bit];
        fails = low ? rest < least : rest > most;
      }
      bad |= (u64)fails << bit;
    }
    out[at] |= bad;
    if (!cut) continue;
    u32 unknown = word(predicate + 4);
    bad &= *(u64 *)(memory + live + row / 8);
    if (unknown) bad &= ~*(u64 *)(memory + unknown + row / 8);
    *cut += __builtin_popcountll(bad);
  }
}

static void range(u32 predicate, u32 tile, vector *out, vector *equal, u32 *cut, u32 live) {
  int bits = word(predicate + 16);
  u32 has = word(predicate + 28);
  const vector *planes = (vector *)(memory + word(predicate + 12) + tile * bits * BITMAP);
  i32 least = word(predicate + 20), most = word(predicate + 24);
  if ((has & 10) == 2)
    compare(planes, bits, most, out, 0);
  else
    memset(out, 0, BITMAP);
  if ((has & 5) == 1) compare(planes, bits, least - 1, out, 1);
  if (!(has & 12)) return;
  for (int half = 0; half < VECTORS; half += VECTORS / 2) {
    u32 row = tile * TILE + half * WIDTH;
    if (has & 8 && compare_around(planes + half, bits, most, out + half, equal, 0))
      by_value(predicate, row, (u64 *)(out + half), (u64 *)equal, 0, cut, live);
    if (has & 4 && compare_around(planes + half, bits, least, out + half, equal, 1))
      by_value(predicate, row, (u64 *)(out + half), (u64 *)equal, 1, cut, live);
  }
}

static void either(u32 predicate, u32 tile, vector *out) {
  const u32 *item = words(word(predicate + 12)), *end = item + 2 * word(predicate + 16);
  vector a[VECTORS];
  EACH a[v] = fill(0);
  for (; item < end; item += 2) {
    const vector *bitmap = (vector *)(memory + item[0] + tile * BITMAP);
    vector invert = fill(item[1] ? ~0ull : 0);
    EACH a[v] |= invert ^ bitmap[v];
  }
  vector none = fill(word(predicate + 20) ? ~0ull : 0);
  EACH out[v] = none ^ a[v];
}

static void evaluate(u32 predicate, u32 tile, vector *out, vector *equal, u32 *cut, u32 live) {
  u32 kind = word(predicate);
  if (kind == 1) {
    range(predicate, tile, out, equal, cut, live);
  } else if (kind == 0) {
    either(predicate, tile, out);
  } else {
    fprintf(stderr, "predicate kind %u is not in the bench\n", kind);
    exit(1);
  }
}

/** The bench's constraints have one predicate each. */
static void evaluate_all(u32 predicate, u32 tile, u8 *own, vector *failed, u32 cut, u32 live) {
  evaluate(predicate, tile, failed, (vector *)(own + OWN_SCRATCH + BITMAP), cut ? (u32 *)(own + cut) : 0, live);
  u32 unknown = word(predicate + 4);
  if (!unknown) return;
  const vector *missing = (vector *)(memory + unknown + tile * BITMAP);
  if (word(predicate + 8)) {
    EACH failed[v] |= missing[v];
  } else {
    EACH failed[v] &= ~missing[v];
  }
}

static void tally(const u32 *reference, int count, u32 tile, const vector *universe, vector *passing, vector *once) {
#if WIDTH == 512
  enum { STEP = VECTORS };
#else
  enum { STEP = VECTORS / 2 };
#endif
  for (int from = 0; from < VECTORS; from += STEP) {
    vector any[STEP], two[STEP];
    UNROLL for (int v = 0; v < STEP; v++) any[v] = two[v] = fill(0);
    const u32 *at = reference;
    for (int left = count; left > 0; left--, at += 8) {
      const vector *bitmap = (vector *)(memory + at[0] + tile * at[1]) + from;
      vector invert = fill(at[2] ? ~0ull : 0);
      UNROLL for (int v = 0; v < STEP; v++) {
        vector f = bitmap[v] ^ invert;
        two[v] |= any[v] & f;
        any[v] |= f;
      }
    }
    UNROLL for (int v = 0; v < STEP; v++) {
      passing[from + v] = universe[from + v] & ~any[v];
      once[from + v] = universe[from + v] & any[v] & ~two[v];
    }
  }
}

static u32 common(const void *bitmap, u32 inverted, const void *mask) {
#if WIDTH == 512
  __m512i invert = _mm512_set1_epi32(inverted);
  const __m512i *f = bitmap, *m = mask;
  return _mm512_reduce_add_epi64(_mm512_add_epi64(_mm512_popcnt_epi64(_mm512_and_si512(_mm512_xor_si512(f[0], invert), m[0])),
                                                  _mm512_popcnt_epi64(_mm512_and_si512(_mm512_xor_si512(f[1], invert), m[1]))));
#else
  u64 invert = (u64)(int64_t)(i32)inverted, even = 0, odd = 0;
  const u64 *f = bitmap, *m = mask;
  UNROLL for (int at = 0; at < 16; at += 2) {
    even += __builtin_popcountll((f[at] ^ invert) & m[at]);
    odd += __builtin_popcountll((f[at + 1] ^ invert) & m[at + 1]);
  }
  return even + odd;
#endif
}

static void count_failures(const u32 *reference, int count, u32 tile, const void *universe, const void *once, u32 *counts) {
  for (int index = 0; index < count; index++, reference += 8) {
    const u8 *bitmap = memory + reference[0] + tile * reference[1];
    counts[2 * count + index] += common(bitmap, reference[2], once);
    if (reference[5]) continue;
    counts[index] += common(bitmap, reference[2], universe);
    if (reference[3]) counts[count + index] += common(memory + reference[3] + tile * reference[4], 0, universe);
  }
}

static u32 *decode(const u64 *bitmap, u32 row, u32 *list) {
  for (int at = 0; at < 16; at++, row += 64) {
    u64 left = bitmap[at];
    if (!left) continue;
    int count = __builtin_popcountll(left);
    UNROLL for (int n = 0; n < 8; n++) {
      list[n] = row + (u32)_tzcnt_u64(left);
      left &= left - 1;
    }
    for (u32 *next = list + 8; left; left &= left - 1) *next++ = row + (u32)_tzcnt_u64(left);
    list += count;
  }
  return list;
}

static void sift_up(i32 *heap, u32 at, i32 value) {
  while (at > 0) {
    u32 parent = (at - 1) / 2;
    if (heap[parent] >= value) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = value;
}

static void sift_down(i32 *heap, u32 size, i32 value) {
  u32 at = 0;
  for (;;) {
    u32 child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = value;
}

static i32 keep(u32 row, i32 score, i32 limit, u32 k, i32 margin, u32 *output) {
  if (score > limit) return limit;
  u32 *place = words(output[4]) + 2 * output[1]++;
  place[0] = row;
  place[1] = score;
  i32 *heap = (i32 *)words(output[5]);
  if (output[3] < k) {
    sift_up(heap, output[3]++, score);
    if (output[3] < k) return limit;
  } else {
    if (score >= heap[0]) return limit;
    sift_down(heap, k, score);
  }
  return heap[0] > INT32_MAX - margin ? INT32_MAX : heap[0] + margin;
}

static void keep_best(u32 *list, u32 *end, __m128i *scores, u32 panels, u32 k, i32 margin, u32 *output) {
  const __m128i *panel = (__m128i *)(memory + word(panels));
  __m128i weights = _mm_load_si128((__m128i *)(memory + panels + 16)), least = _mm_set1_epi32(INT32_MAX);
  end[0] = end[1] = end[2] = 0;
  __m128i *next = scores;
  for (u32 *at = list; at < end; at += 4, next++) {
#define DOT(n) _mm_madd_epi16(_mm_load_si128(panel + at[n]), weights)
    __m128i a = DOT(0), b = DOT(1), c = DOT(2), d = DOT(3);
    __m128i ab = _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
    __m128i cd = _mm_add_epi32(_mm_unpacklo_epi64(c, d), _mm_unpackhi_epi64(c, d));
#define PICK(order) (__m128i) _mm_shuffle_ps((__m128)ab, (__m128)cd, order)
    *next = _mm_add_epi32(PICK(0x88), PICK(0xdd));
    least = _mm_min_epi32(least, *next);
  }
  i32 limit = output[2];
#define NONE(of) (_mm_movemask_epi8(_mm_cmpgt_epi32(of, _mm_set1_epi32(limit))) == 0xffff)
  if (NONE(least)) return;
  for (u32 *at = list; at < end; at += 4, scores++) {
    if (NONE(*scores)) continue;
    for (int n = 0; n < 4 && at + n < end; n++) limit = keep(at[n], ((i32 *)scores)[n], limit, k, margin, output);
  }
  output[2] = limit;
}

static void read_ahead(const u8 *panel) {
  __m128i sum = _mm_setzero_si128();
  for (const u8 *at = panel; at < panel + TILE * 16; at += 64) sum = _mm_xor_si128(sum, _mm_load_si128((__m128i *)at));
  __asm__ volatile("" ::"x"(sum));
}

static void answer(u32 query, u8 *own, u32 *output, u32 tile) {
  const u32 *of = words(query);
  const vector *universe = (vector *)(memory + of[2] + tile * BITMAP);
  vector *passing = (vector *)(own + 128), *once = (vector *)(own + 256);
  const u32 *references = words(output[7]);
  tally(references, of[0], tile, universe, passing, once);
  count_failures(references, of[0], tile, universe, once, words(output[6]));
  u32 *rows = (u32 *)(own + OWN_ROWS), *end = decode((u64 *)passing, tile * TILE, rows);
  if (end == rows) return;
  output[0] += end - rows;
  keep_best(rows, end, (__m128i *)(own + OWN_SCORES), of[4], of[5], of[6], output);
}

static void run(u32 job, u32 own, u32 outputs, u32 tiles) {
  const u32 *of = words(job);
  for (u32 index = 0; index < of[0]; index++) {
    const u32 *query = words(of[1] + 32 * index);
    u32 *to = words(words(outputs + 32 * index)[7]);
    memcpy(to, memory + query[1], 32 * query[0]);
    for (u32 n = 0; n < query[0]; n++, to += 8) {
      if (to[1] == 0) to[0] = to[0] == 0 ? own : own + OWN_SLOTS + (to[0] - 1) * BITMAP;
      if (to[3] && to[4] == 0) to[3] = own + OWN_SLOTS + (to[3] - 1) * BITMAP;
    }
  }
  for (u32 tile = 0; tile < tiles; tile++) {
    for (u32 n = 0; n < of[2]; n++) {
      const u32 *constraint = words(of[3] + 32 * n);
      evaluate_all(constraint[1], tile, memory + own, (vector *)(memory + own + OWN_SLOTS + (constraint[2] - 1) * BITMAP),
                   constraint[4], constraint[5]);
    }
    if (of[4]) read_ahead(memory + of[4] + tile * TILE * 16);
    for (u32 index = 0; index < of[0]; index++)
      answer(of[1] + 32 * index, memory + own, words(outputs + 32 * index), tile);
  }
}

typedef struct {
  u32 address, own, outputs, queries, cuts, cut_words, *start, **known;
} Job;

static u32 constraints(const Job *job, u32 query) { return words(words(job->address)[1] + 32 * query)[0]; }

static void begin(const Job *job) {
  memcpy(memory + job->outputs, job->start, 32 * job->queries);
  memset(memory + job->own + job->cuts, 0, 4 * job->cut_words);
  for (u32 n = 0; n < job->queries; n++)
    memcpy(words(words(job->outputs + 32 * n)[6]), job->known[n], 12 * constraints(job, n));
}

static u32 checksum(const Job *job) {
  u32 sum = 0;
  const u32 *cuts = words(job->own + job->cuts);
  for (u32 n = 0; n < job->queries; n++) {
    const u32 *output = words(job->outputs + 32 * n), *kept = words(output[4]);
    u32 *counts = words(output[6]), count = constraints(job, n);
    for (u32 at = 0; at < count; at++)
      if (job->known[n][3 * count + at]) counts[at] += cuts[job->known[n][3 * count + at] - 1];
    sum += output[0] * 31;
    for (u32 at = 0; at < 3 * count; at++) sum += counts[at] * (at + 1);
    for (u32 at = 0; at < output[1]; at++)
      if ((i32)kept[2 * at + 1] <= (i32)output[2]) sum += (kept[2 * at] + 1) * 7;
  }
  return sum;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
  double x = *(double *)a, y = *(double *)b;
  return (x > y) - (x < y);
}

/** Bytes per second that one thread can read in order from a block larger than the caches. */
static double stream(void) {
  size_t bytes = 128 << 20;
  vector *from = aligned_alloc(64, bytes);
  memset(from, 1, bytes);
  double best = 1e18;
  for (int round = 0; round < 5; round++) {
    double start = now();
    vector sum[4] = {fill(0), fill(0), fill(0), fill(0)};
    for (size_t at = 0; at < bytes / sizeof(vector); at += 4)
      UNROLL for (int n = 0; n < 4; n++) sum[n] ^= from[at + n];
    __asm__ volatile("" ::"m"(sum));
    double took = now() - start;
    if (took < best) best = took;
  }
  free(from);
  return bytes / best * 1e6;
}

int main(int count, char **argument) {
  if (count == 1) return printf("{\"stream\": %.0f}\n", stream()) < 0;
  if (count != 3) return 2;
  FILE *file = fopen(argument[1], "rb");
  u32 head[3];
  if (!file || fread(head, 4, 3, file) != 3) return 1;
  Job *jobs = calloc(head[2], sizeof(Job));
  for (u32 n = 0; n < head[2]; n++) {
    if (fread(&jobs[n], 4, 6, file) != 6) return 1;
    jobs[n].start = malloc(32 * jobs[n].queries);
    if (fread(jobs[n].start, 32, jobs[n].queries, file) != jobs[n].queries) return 1;
    jobs[n].known = malloc(sizeof(u32 *) * jobs[n].queries);
    for (u32 query = 0; query < jobs[n].queries; query++) {
      u32 count;
      if (fread(&count, 4, 1, file) != 1) return 1;
      jobs[n].known[query] = malloc(4 * count);
      if (fread(jobs[n].known[query], 4, count, file) != count) return 1;
    }
  }
  memory = mmap(0, head[0], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || fread(memory, 1, head[0], file) != head[0]) return 1;
  fclose(file);
  int repeats = atoi(argument[2]);
  u32 singles = head[2] - 1;
  double *took = malloc(sizeof(double) * repeats), result[2];
  u32 sums[2] = {0, 0};
  for (int batch = 0; batch < 2; batch++) {
    u32 from = batch ? singles : 0, to = batch ? head[2] : singles;
    int intents = batch ? jobs[singles].queries : singles;
    int rounds = 1 + 4000000 / (head[1] * TILE * intents);
    for (int repeat = -1; repeat < repeats; repeat++) {
      double start = now();
      for (int round = 0; round < rounds; round++)
        for (u32 n = from; n < to; n++) {
          begin(&jobs[n]);
          run(jobs[n].address, jobs[n].own, jobs[n].outputs, head[1]);
          if (repeat < 0 && round == 0) sums[batch] += checksum(&jobs[n]);
        }
      if (repeat >= 0) took[repeat] = (now() - start) / rounds / intents;
    }
    qsort(took, repeats, sizeof(double), ascending);
    result[batch] = took[repeats / 2];
  }
  printf("{\"single\": %.4f, \"batch\": %.4f, \"checksum\": [%u, %u]}\n", result[0], result[1], sums[0], sums[1]);
  return 0;
}
