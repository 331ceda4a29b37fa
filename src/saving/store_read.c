/* Reading the arrays of a store: where they lie, or into one block of memory. See store.h.
 *
 * Inside an archive weights begin at any address, so three files of four must be copied: hundreds of
 * megabytes, which is why the block is one, is not cleared first, and is filled by several threads. Its
 * pages are small: large ones for so much are rarely free, and are not soon made. The pages copied from
 * are given back as it goes, so that memory holds the weights once. The checksums of a checkpoint or an
 * .npz are made by the same threads, of bytes on their way or of those that stay where they lie. */
#include "saving/store.h"

#include "base/number.h"
#include "base/tasks.h"
#include "formats/crc32.h"
#include "formats/crc32c.h"

static bool is_native(const krti_h5_type *t)
{
    return t->size == 1 || t->big_endian == krti_is_big_endian();
}

/* Elements as they lie in a file, and where and as what they go. */
typedef struct copying {
    const unsigned char *from;
    unsigned char *to;
    krt_dtype from_dtype, to_dtype;
    size_t n;
    bool native;
    bool stays;   /* it is used where it lies */
    krti_sum sum; /* it has a checksum to be held against */
    uint32_t crc; /* found */
} copying;

/* Elements in native order and aligned, in `buffer`. Bools may be any byte in a file; everything
 * behind this expects 0 or 1. */
static void straighten(const copying *c, void *buffer, size_t first, size_t n)
{
    const size_t size = krt_dtype_size(c->from_dtype);
    const unsigned char *src = c->from + first * size;
    unsigned char *dst = buffer;

    if (c->from_dtype == KRT_BOOL)
        krti_convert(dst, KRT_BOOL, src, KRT_UINT8, n);
    else if (c->native)
        memcpy(dst, src, n * size);
    else
        for (size_t i = 0; i < n * size; i++)
            dst[i] = src[i - i % size + size - 1 - i % size];
}

enum { BLOCK = 512 }; /* elements converted at a time: they stay in the nearest cache */

static void copy_elements(const copying *c)
{
    const size_t to_size = krt_dtype_size(c->to_dtype);
    const bool is_plain = c->native && c->from_dtype != KRT_BOOL;
    uint64_t buffer[BLOCK];

    if (is_plain && c->from_dtype == c->to_dtype) {
        memcpy(c->to, c->from, c->n * to_size);
        return;
    }
    for (size_t i = 0; i < c->n; i += BLOCK) {
        const size_t n = c->n - i < BLOCK ? c->n - i : BLOCK;

        straighten(c, buffer, i, n);
        krti_convert(c->to + i * to_size, c->to_dtype, buffer, c->from_dtype, n);
    }
}

/* --- one array --- */

typedef struct reading {
    krti_store *s;
    krt_tensor **out;
    copying *jobs;   /* what is left to be copied or summed */
    size_t *indices; /* of each in `out` */
    size_t num_jobs, job_bytes, block_bytes;
} reading;

static krt_status cannot_read(krt_ctx *k, const krti_store_array *a, const krti_h5_type *t)
{
    if (t->rank > KRT_MAX_RANK)
        return krti_fail(k, KRT_E_UNSUPPORTED, a->entry,
                         "the array has %d axes, at most %d are read", t->rank, KRT_MAX_RANK);
    return krti_fail(k, KRT_E_UNSUPPORTED, a->entry,
                     "elements of %u bytes of type %s are none of Keras's numbers", t->size,
                     t->class_name);
}

/* Deflate cannot do better than 1032 to 1; data that was never written would cost nothing at all. */
enum { BOMB_SIZE = 16 << 20, BOMB_RATIO = 1100 };

static krt_status check_bomb(krt_ctx *k, const krti_store_array *a, const krti_h5_dataset *d)
{
    if ((d->is_contiguous && d->stored_bytes > 0) || d->size_bytes <= BOMB_SIZE ||
        d->size_bytes / BOMB_RATIO <= d->stored_bytes)
        return KRT_OK;
    return krti_fail(
        k, KRT_E_UNSAFE, a->entry,
        "Not allowed: H5 dataset declares %llu bytes but only %llu are stored on disk; "
        "refusing to load a potential decompression/shape bomb",
        (unsigned long long)d->size_bytes, (unsigned long long)d->stored_bytes);
}

/* A tensor of its own for elements that are in memory already, just inflated. */
static krt_status convert_now(krti_store *s, copying *c, krt_shape shape, krt_tensor **out)
{
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    c->to = krti_alloc_raw(s->k, c->n * krt_dtype_size(c->to_dtype));
    if (c->to == NULL)
        return KRT_E_NOMEM;
    TRY(krti_bytes_take(s->k, &bytes, c->to, c->n * krt_dtype_size(c->to_dtype)));
    copy_elements(c);
    TRY(krti_tensor_map(s->k, out, c->to_dtype, shape, bytes, c->to));

done:
    krti_bytes_drop(bytes);
    return st;
}

static void add_job(reading *r, const copying *c, size_t index)
{
    const size_t size = c->n * krt_dtype_size(c->to_dtype);

    r->jobs[r->num_jobs] = *c;
    r->indices[r->num_jobs++] = index;
    r->job_bytes += size;
    r->block_bytes += c->stays ? 0 : (size + 63) / 64 * 64;
}

static krt_status open_dataset(krti_store *s, const krti_store_array *a, krti_h5_dataset *d)
{
    size_t size = 0;
    krt_status st = krti_h5_dataset_open(s->files[a->file].h5, a->header, d);

    if (st != KRT_OK)
        return st;
    if (a->dtype == KRT_DTYPE_NONE || !krti_shape_bytes(a->shape, a->dtype, &size))
        return cannot_read(s->k, a, &d->type);
    if (d->size_bytes != size)
        return krti_fail(s->k, KRT_E_CORRUPT, a->entry, "the file changed while it was read");
    return check_bomb(s->k, a, d);
}

/* An array's elements as they are in the file. */
typedef struct held {
    const void *data;
    krti_bytes *bytes; /* that may be kept for them, borrowed; NULL: they have to be copied */
    krti_bytes *owned; /* made for them; drop it */
    bool native;
} held;

static krt_status hold_dataset(krti_store *s, const krti_store_array *a, held *h)
{
    krti_h5_dataset d;
    krt_status st = open_dataset(s, a, &d);

    if (st == KRT_OK)
        st = krti_h5_dataset_read(s->files[a->file].h5, a->header, &d, &h->data, &h->owned);
    h->bytes = h->owned != NULL ? h->owned : s->files[a->file].bytes;
    h->native = is_native(&d.type);
    return st;
}

static krt_status hold_raw(krti_store *s, const krti_store_array *a, held *h)
{
    if (a->dtype == KRT_DTYPE_NONE)
        return krti_fail(s->k, KRT_E_UNSUPPORTED, a->entry,
                         a->shape.rank < 0 ? "the array has more than %d axes"
                                           : "the array holds none of Keras's numbers",
                         KRT_MAX_RANK);
    h->native = !a->raw->is_swapped || krt_dtype_size(a->dtype) == 1;
    const krt_status st = krti_raw_read(s, a, &h->data, &h->owned);
    h->bytes = h->owned != NULL ? h->owned : a->raw->bytes;
    return st;
}

/* Makes the tensor, or leaves it to be copied. */
static krt_status begin_array(reading *r, const krti_want *want, size_t index)
{
    krti_store *s = r->s;
    const krti_store_array *a = &s->arrays[want->array];
    held h = {0};
    krt_status st = KRT_OK;

    TRY(a->raw != NULL ? hold_raw(s, a, &h) : hold_dataset(s, a, &h));
    copying c = {.from = h.data,
                 .from_dtype = a->dtype,
                 .to_dtype = want->dtype != KRT_DTYPE_NONE ? want->dtype : a->dtype,
                 .n = (size_t)a->size_bytes / krt_dtype_size(a->dtype),
                 .native = h.native,
                 .sum = a->raw != NULL && h.owned == NULL ? a->raw->sum : KRTI_SUM_NONE};
    const bool is_plain = c.native && c.from_dtype == c.to_dtype && c.from_dtype != KRT_BOOL &&
                          (h.owned != NULL || !s->copies);
    const bool is_aligned = (uintptr_t)h.data % krt_dtype_size(a->dtype) == 0;

    c.stays = is_plain && (is_aligned || want->anywhere) && c.n > 0 && h.bytes != NULL;
    if (c.stays)
        TRY(krti_tensor_map(s->k, &r->out[index], a->dtype, a->shape, h.bytes, h.data));
    else if (h.owned != NULL)
        TRY(convert_now(s, &c, a->shape, &r->out[index]));
    if (h.owned == NULL && (!c.stays || c.sum != KRTI_SUM_NONE))
        add_job(r, &c, index);

done:
    krti_bytes_drop(h.owned);
    return krti_fail_in_object(s->k, st, a->entry);
}

/* --- all of them --- */

typedef struct job_list {
    const reading *r;
    const krti_want *wants;
} job_list;

enum { LARGE = 1 << 20 }; /* worth more than one thread */

/* A part: summed, copied and let go while it is in the cache, so that no more than that is there twice. */
static void do_part(copying *job, size_t first, size_t n, const krti_bytes *bytes)
{
    copying part = *job;
    const size_t size = krt_dtype_size(job->from_dtype);

    part.from += first * size;
    part.n = n;
    if (job->sum == KRTI_SUM_CRC32C)
        job->crc = krti_crc32c(job->crc, part.from, n * size);
    else if (job->sum == KRTI_SUM_CRC32)
        job->crc = krti_crc32_add(job->crc, part.from, n * size);
    if (job->stays)
        return;
    part.to += first * krt_dtype_size(job->to_dtype);
    copy_elements(&part);
    if (bytes != NULL)
        krti_bytes_forget(bytes, part.from, n * size);
}

static void run_job(void *arg, size_t i, size_t thread)
{
    enum { PART = 1 << 20 };
    const job_list *list = arg;
    const reading *r = list->r;
    copying *c = &r->jobs[i];
    const krti_store_array *a = &r->s->arrays[list->wants[r->indices[i]].array];
    const krti_bytes *bytes = a->raw != NULL ? a->raw->bytes : r->s->files[a->file].bytes;
    const size_t most = PART / krt_dtype_size(c->from_dtype);

    (void)thread;
    for (size_t at = 0; at < c->n; at += most)
        do_part(c, at, c->n - at < most ? c->n - at : most, bytes);
}

static krt_status run_jobs(const reading *r, const krti_want *wants)
{
    job_list list = {r, wants};
    krt_status st = KRT_OK;

    krti_share_tasks(r->job_bytes > LARGE ? krti_num_threads(r->s->k) : 1, r->num_jobs, run_job,
                     &list);
    for (size_t i = 0; st == KRT_OK && i < r->num_jobs; i++)
        if (r->jobs[i].sum != KRTI_SUM_NONE)
            st = krti_raw_check(r->s, &r->s->arrays[wants[r->indices[i]].array], r->jobs[i].crc);
    return st;
}

/* Gives what is to be copied its place in one block. */
static krt_status place_jobs(reading *r, const krti_want *wants)
{
    krt_ctx *k = r->s->k;
    unsigned char *block = krti_alloc_raw(k, r->block_bytes);
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    if (block == NULL)
        return KRT_E_NOMEM;
    krti_advise_pages(block, r->block_bytes, false);
    TRY(krti_bytes_take(k, &bytes, block, r->block_bytes));
    for (size_t i = 0; i < r->num_jobs; i++) {
        copying *c = &r->jobs[i];
        const krti_store_array *a = &r->s->arrays[wants[r->indices[i]].array];

        if (c->stays)
            continue;
        c->to = block;
        block += (c->n * krt_dtype_size(c->to_dtype) + 63) / 64 * 64;
        TRY(krti_tensor_map(k, &r->out[r->indices[i]], c->to_dtype, a->shape, bytes, c->to));
    }

done:
    krti_bytes_drop(bytes);
    return st;
}

static krt_status do_rest(reading *r, const krti_want *wants)
{
    const krt_status st = place_jobs(r, wants);

    if (st != KRT_OK)
        return st;
    if (r->block_bytes > LARGE)
        krti_store_forget(r->s); /* what was looked at on the way to the elements */
    return run_jobs(r, wants);
}

static void tell_progress(krti_store *s, const krti_want *wants, size_t n)
{
    krti_progress *p = &s->progress;

    for (size_t i = 0; p->call != NULL && i < n; i++) {
        p->done += (int64_t)s->arrays[wants[i].array].size_bytes;
        p->call(p->user, p->done < p->total ? p->done : p->total, p->total);
    }
}

krt_status krti_store_tensors(krti_store *s, const krti_want *wants, size_t n, krt_tensor **out)
{
    reading r = {.s = s,
                 .out = out,
                 .jobs = krti_array(s->k, n, sizeof *r.jobs),
                 .indices = krti_array(s->k, n, sizeof *r.indices)};
    krt_status st = r.jobs != NULL && r.indices != NULL ? KRT_OK : KRT_E_NOMEM;

    memset(out, 0, n * sizeof(krt_tensor *));
    for (size_t i = 0; st == KRT_OK && i < n; i++)
        st = begin_array(&r, &wants[i], i);
    if (st == KRT_OK && r.num_jobs > 0)
        st = do_rest(&r, wants);
    if (st == KRT_OK)
        tell_progress(s, wants, n);
    for (size_t i = 0; st != KRT_OK && i < n; i++) {
        krt_tensor_free(out[i]);
        out[i] = NULL;
    }
    krti_free(s->k, r.jobs);
    krti_free(s->k, r.indices);
    return st;
}

krt_status krti_store_tensor(krti_store *s, size_t array, krt_dtype dtype, krt_tensor **out)
{
    const krti_want want = {array, dtype, false};

    return krti_store_tensors(s, &want, 1, out);
}
