/* Chunked data: chunks decoded one by one and copied to their places in the array.
 *
 * The index (h5_index.c) hands out only chunks that lie in the file and in the grid, and whose
 * bytes together are no more than the file, so the work here is bounded by its size. */
#include "formats/h5_internal.h"

static krt_status add_size(void *user, const krti_h5_chunk *chunk)
{
    uint64_t *const sum = user;

    *sum += chunk->size;
    return KRT_OK;
}

krt_status krti_h5_chunks_stored(krti_h5 *f, const krti_h5_plan *plan, uint64_t *out)
{
    *out = 0;
    return krti_h5_index_each(f, plan, add_size, out);
}

/* Copies a chunk's part that lies inside the array, row by row; rows that are whole in both are
 * joined. */
static void place_chunk(const krti_h5_plan *plan, const krti_h5_chunk *chunk,
                        const unsigned char *from, unsigned char *out)
{
    const krti_h5_layout *const l = &plan->layout;
    uint64_t extent[KRTI_H5_MAX_RANK], from_step[KRTI_H5_MAX_RANK], to_step[KRTI_H5_MAX_RANK];
    uint64_t i[KRTI_H5_MAX_RANK] = {0};
    uint64_t from_size = plan->type.size, to_size = plan->type.size, run = 0;
    int inner = 0; /* dimensions from here on are one run */
    bool is_whole = true;

    for (int d = l->rank - 1; d >= 0; d--) {
        const uint64_t start = chunk->at[d] * l->chunk[d], left = plan->type.dim[d] - start;

        extent[d] = left < l->chunk[d] ? left : l->chunk[d];
        from_step[d] = from_size;
        to_step[d] = to_size;
        out += start * to_size;
        if (is_whole) {
            run = extent[d] * from_size;
            inner = d;
        }
        is_whole = is_whole && l->chunk[d] == plan->type.dim[d];
        from_size *= l->chunk[d];
        to_size *= plan->type.dim[d];
    }
    for (int d = inner; d >= 0;) {
        memcpy(out, from, (size_t)run);
        for (d = inner - 1; d >= 0; d--) { /* the next row, carrying into outer dimensions */
            from += from_step[d];
            out += to_step[d];
            if (++i[d] < extent[d])
                break;
            from -= i[d] * from_step[d];
            out -= i[d] * to_step[d];
            i[d] = 0;
        }
    }
}

typedef struct chunk_reader {
    krti_h5 *f;
    const krti_h5_plan *plan;
    krti_h5_decoder decoder;
    unsigned char *out;
} chunk_reader;

static krt_status read_chunk(void *user, const krti_h5_chunk *chunk)
{
    krt_status st = KRT_OK;
    chunk_reader *const r = user;
    const unsigned char *p = NULL;

    TRY(krti_h5_span(r->f, chunk->address, chunk->size, "chunk", &p));
    if (r->plan->filters.num > 0)
        TRY(krti_h5_decode(&r->decoder, p, chunk->size, chunk->filter_mask, &p));
    place_chunk(r->plan, chunk, p, r->out);
done:
    return st;
}

krt_status krti_h5_chunks_read(krti_h5 *f, const krti_h5_plan *plan, unsigned char *out)
{
    chunk_reader r = {.f = f, .plan = plan, .out = out};

    r.decoder.f = f;
    r.decoder.filters = &plan->filters;
    r.decoder.chunk_bytes = plan->layout.chunk_bytes;
    const krt_status st = krti_h5_index_each(f, plan, read_chunk, &r);
    krti_h5_decoder_free(&r.decoder);
    return st;
}
