/* Walking several buffers of one shape at once. See reference.h. */
#include "ops/reference/reference.h"

void krti_strides(krt_shape s, int64_t *stride)
{
    int64_t step = 1;

    for (int i = s.rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s.dim[i];
    }
}

void krti_broadcast_strides(krt_shape s, krt_shape as, int64_t *stride)
{
    int64_t own[KRT_MAX_RANK] = {0};

    krti_strides(s, own);
    for (int i = 0; i < as.rank; i++) {
        const int at = i - (as.rank - s.rank);

        stride[i] = at < 0 || s.dim[at] == 1 ? 0 : own[at];
    }
}

/* Whether dimension i continues the last merged one in every buffer. */
static bool merges(const krti_loops *l, int64_t dim, int64_t (*strides)[KRT_MAX_RANK], int i)
{
    if (l->rank == 0)
        return false;
    for (int b = 0; b < l->num; b++)
        if (l->stride[b][l->rank - 1] != strides[b][i] * dim)
            return false;
    return true;
}

void krti_loops_init(krti_loops *l, int rank, const int64_t *dim, int num,
                     int64_t (*strides)[KRT_MAX_RANK])
{
    *l = (krti_loops){.num = num};
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        const bool merge = merges(l, dim[i], strides, i);
        if (!merge)
            l->dim[l->rank++] = 1;
        l->dim[l->rank - 1] *= dim[i];
        for (int b = 0; b < num; b++)
            l->stride[b][l->rank - 1] = strides[b][i];
    }
    if (l->rank == 0)
        l->dim[l->rank++] = 1;
}

bool krti_loops_empty(const krti_loops *l)
{
    for (int i = 0; i < l->rank; i++)
        if (l->dim[i] == 0)
            return true;
    return false;
}

bool krti_loops_next(krti_loops *l)
{
    for (int i = l->rank - 2; i >= 0; i--) {
        for (int b = 0; b < l->num; b++)
            l->offset[b] += l->stride[b][i];
        if (++l->index[i] < l->dim[i])
            return true;
        for (int b = 0; b < l->num; b++)
            l->offset[b] -= l->stride[b][i] * l->dim[i];
        l->index[i] = 0;
    }
    return false;
}

krti_split krti_split_at(krt_shape s, int axis)
{
    krti_split split = {.outer = 1, .axis = s.dim[axis], .inner = 1};

    for (int i = 0; i < axis; i++)
        split.outer *= s.dim[i];
    for (int i = axis + 1; i < s.rank; i++)
        split.inner *= s.dim[i];
    return split;
}

/* memcpy of a constant size is one move, and may read what was written as another type. */
#define COPY(SIZE)                                                              \
    do {                                                                        \
        unsigned char *d = dst;                                                 \
        const unsigned char *s = src;                                           \
                                                                                \
        for (int64_t i = 0; i < n; i++)                                         \
            memcpy(d + i * dst_stride * SIZE, s + i * src_stride * SIZE, SIZE); \
    } while (0)

void krti_copy_run(void *dst, int64_t dst_stride, const void *src, int64_t src_stride, int64_t n,
                   size_t size)
{
    if (n <= 0)
        return;
    if (dst_stride == 1 && src_stride == 1)
        memcpy(dst, src, (size_t)n * size);
    else if (size == 8)
        COPY(8);
    else if (size == 4)
        COPY(4);
    else if (size == 2)
        COPY(2);
    else
        COPY(1);
}
