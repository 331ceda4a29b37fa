/* See event_file.h. The numbers of the fields are those of event.proto, summary.proto and
 * tensor.proto of TensorFlow. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* gethostname */
#endif
#include "callbacks/event_file.h"

#include "formats/protobuf.h"
#include "formats/tfrecord.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum event_field { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_SUMMARY = 5 };
enum value_field { VALUE_TAG = 1, VALUE_TENSOR = 8, VALUE_METADATA = 9 };
enum tensor_field { TENSOR_DTYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, TENSOR_STRINGS = 8 };
enum tf_dtype { TF_FLOAT = 1, TF_DOUBLE = 2, TF_STRING = 7 };

static double wall_time(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static krt_status put_record(krti_events *e)
{
    krti_str_clear(&e->record);
    krt_status st = krti_tfrecord_put(&e->record, krti_str_text(&e->event), e->event.length);

    return st == KRT_OK ? krti_log_write(&e->file, krti_str_text(&e->record), e->record.length)
                        : st;
}

krt_status krti_events_open(krt_ctx *k, krti_events *e, const char *dir)
{
    static atomic_int opened;
    krti_str path = KRTI_STR_INIT(k), source = KRTI_STR_INIT(k);
    char host[256] = "localhost";
    krt_status st = KRT_OK;

    e->record = e->event = (krti_str)KRTI_STR_INIT(k);
    (void)gethostname(host, sizeof host - 1);
    TRY(krti_str_addf(&path, "%s/events.out.tfevents.%" PRId64 ".%s.%ld.%d.v2", dir,
                      (int64_t)time(NULL), host, (long)getpid(), atomic_fetch_add(&opened, 1)));
    TRY(krti_log_open(k, &e->file, krti_str_text(&path), true));
    krti_pb_put_text(&source, 1, "tensorflow.core.util.events_writer");
    krti_pb_put_double(&e->event, EVENT_WALL_TIME, floor(wall_time()));
    krti_pb_put_text(&e->event, EVENT_VERSION, "brain.Event:2");
    krti_pb_put_message(&e->event, 10, &source);
    st = source.status != KRT_OK ? source.status : e->event.status;
    TRY(st);
    TRY(put_record(e));

done:
    krti_str_free(&path);
    krti_str_free(&source);
    return st;
}

krt_status krti_events_close(krti_events *e)
{
    krti_log_close(&e->file);
    krti_str_free(&e->record);
    krti_str_free(&e->event);
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- messages */

/* SummaryMetadata of a plugin; `content` may be NULL. */
static krt_status put_metadata(krti_str *value, const char *plugin, const char *content)
{
    krti_str data = KRTI_STR_INIT(value->k), metadata = KRTI_STR_INIT(value->k);
    krt_status st = KRT_OK;

    krti_pb_put_text(&data, 1, plugin);
    if (content != NULL)
        krti_pb_put_text(&data, 2, content);
    krti_pb_put_message(&metadata, 1, &data);
    krti_pb_put_message(value, VALUE_METADATA, &metadata);
    st = data.status != KRT_OK ? data.status : metadata.status;
    krti_str_free(&data);
    krti_str_free(&metadata);
    return st != KRT_OK ? st : value->status;
}

/* dtype, shape; the content is appended by the caller. */
static krt_status begin_tensor(krti_str *tensor, enum tf_dtype dtype, const int64_t *dims, int rank)
{
    krti_str shape = KRTI_STR_INIT(tensor->k), dim = KRTI_STR_INIT(tensor->k);

    krti_pb_put_number(tensor, TENSOR_DTYPE, dtype);
    for (int i = 0; i < rank; i++) {
        krti_str_clear(&dim);
        krti_pb_put_number(&dim, 1, (uint64_t)dims[i]);
        krti_pb_put_message(&shape, 2, &dim);
    }
    krti_pb_put_message(tensor, TENSOR_SHAPE, &shape);
    const krt_status st = dim.status != KRT_OK ? dim.status : shape.status;
    krti_str_free(&shape);
    krti_str_free(&dim);
    return st != KRT_OK ? st : tensor->status;
}

typedef struct summary {
    const char *tag, *plugin, *content;
    int64_t step;
} summary;

/* An event with one value. */
static krt_status put_event(krti_str *event, double time, const summary *s, const krti_str *tensor)
{
    krti_str value = KRTI_STR_INIT(event->k), values = KRTI_STR_INIT(event->k);
    krt_status st = KRT_OK;

    krti_pb_put_text(&value, VALUE_TAG, s->tag);
    krti_pb_put_message(&value, VALUE_TENSOR, tensor);
    TRY(put_metadata(&value, s->plugin, s->content));
    TRY(value.status);
    krti_pb_put_message(&values, 1, &value);
    TRY(values.status);
    krti_pb_put_double(event, EVENT_WALL_TIME, time);
    krti_pb_put_number(event, EVENT_STEP, (uint64_t)s->step);
    krti_pb_put_message(event, EVENT_SUMMARY, &values);
    st = event->status;

done:
    krti_str_free(&value);
    krti_str_free(&values);
    return st;
}

static void put_little_endian(unsigned char *to, uint64_t bits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(bits >> (8 * i));
}

krt_status krti_event_scalar(krti_str *s, double time, const char *tag, int64_t step, float value)
{
    krti_str tensor = KRTI_STR_INIT(s->k);
    unsigned char content[4];
    uint32_t bits = 0;
    krt_status st = begin_tensor(&tensor, TF_FLOAT, NULL, 0);

    memcpy(&bits, &value, sizeof bits);
    put_little_endian(content, bits, sizeof content);
    krti_pb_put_bytes(&tensor, TENSOR_CONTENT, content, sizeof content);
    if (st == KRT_OK)
        st = tensor.status;
    if (st == KRT_OK)
        st = put_event(s, time, &(summary){tag, "scalars", NULL, step}, &tensor);
    krti_str_free(&tensor);
    return st;
}

krt_status krti_events_scalar(krti_events *e, const char *tag, int64_t step, float value)
{
    krti_str_clear(&e->event);
    const krt_status st = krti_event_scalar(&e->event, wall_time(), tag, step, value);

    return st == KRT_OK ? put_record(e) : st;
}

void krti_histogram(double rows[KRTI_HISTOGRAM_BUCKETS][3], const float *x, size_t n)
{
    double least = INFINITY, most = -INFINITY;
    bool has_nan = false;

    memset(rows, 0, sizeof(double[KRTI_HISTOGRAM_BUCKETS][3]));
    for (size_t i = 0; i < n; i++) {
        has_nan = has_nan || isnan(x[i]);
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    if (n == 0)
        return;
    const double width = (most - least) / KRTI_HISTOGRAM_BUCKETS;
    for (int i = 0; i < KRTI_HISTOGRAM_BUCKETS; i++) {
        rows[i][0] = has_nan ? NAN : least + width * i;
        rows[i][1] = has_nan                           ? NAN
                     : i + 1 == KRTI_HISTOGRAM_BUCKETS ? most
                                                       : least + width * (i + 1);
    }
    if (has_nan)
        return;
    for (size_t i = 0; i < n; i++) {
        const double at = width > 0 ? ((double)x[i] - least) / width : KRTI_HISTOGRAM_BUCKETS;

        rows[at < KRTI_HISTOGRAM_BUCKETS ? (int)at : KRTI_HISTOGRAM_BUCKETS - 1][2]++;
    }
}

krt_status krti_events_histogram(krti_events *e, const char *tag, int64_t step, const float *x,
                                 size_t n)
{
    static const int64_t dims[] = {KRTI_HISTOGRAM_BUCKETS, 3};
    double rows[KRTI_HISTOGRAM_BUCKETS][3];
    unsigned char content[sizeof rows];
    krti_str tensor = KRTI_STR_INIT(e->event.k);
    krt_status st = begin_tensor(&tensor, TF_DOUBLE, dims, 2);

    krti_histogram(rows, x, n);
    for (int i = 0; i < KRTI_HISTOGRAM_BUCKETS * 3; i++) {
        uint64_t bits = 0;

        memcpy(&bits, &rows[i / 3][i % 3], sizeof bits);
        put_little_endian(content + i * 8, bits, 8);
    }
    krti_pb_put_bytes(&tensor, TENSOR_CONTENT, content, sizeof content);
    krti_str_clear(&e->event);
    if (st == KRT_OK)
        st = tensor.status;
    if (st == KRT_OK)
        st = put_event(&e->event, wall_time(), &(summary){tag, "histograms", NULL, step}, &tensor);
    krti_str_free(&tensor);
    return st == KRT_OK ? put_record(e) : st;
}

krt_status krti_events_graph(krti_events *e, const char *tag, int64_t step, const char *json)
{
    krti_str tensor = KRTI_STR_INIT(e->event.k);
    krt_status st = begin_tensor(&tensor, TF_STRING, NULL, 0);

    krti_pb_put_bytes(&tensor, TENSOR_STRINGS, json, strlen(json));
    krti_str_clear(&e->event);
    if (st == KRT_OK)
        st = tensor.status;
    if (st == KRT_OK)
        st = put_event(&e->event, wall_time(), &(summary){tag, "graph_keras_model", "1", step},
                       &tensor);
    krti_str_free(&tensor);
    return st == KRT_OK ? put_record(e) : st;
}
