/* Trains as a JSON file says, for scripts that hold what is printed, written and decided against Keras.
 *
 *     fit_driver SPEC.json
 *         "model", "x", "y"   files; "save": where the trained model goes
 *         "fit"               krt_fit()'s arguments by name, numbers only; lists for validation_epochs
 *         "batches"           a source instead of arrays: how many batches of batch_size each pass has
 *         "script"            {"name": [values]}: a callback before the others logs them, one an epoch
 *         "callbacks"         [{"class_name", "config"}]; a LearningRateScheduler takes "rates"
 *         "on_batch"          [["train", ROW, ROWS], ["test", ROW, ROWS], ["reset"]]; prints their logs
 *         "evaluate", "predict"  beside or instead of "fit": their arguments
 *         "history"           where the history goes, {"name": [values]} in order
 *         "kill_at"           [epoch, batch], from 0: the process kills itself after that batch
 *     fit_driver template    lines on stdin: "TEMPLATE EPOCH BATCH NAME VALUE ..."; a line of text for
 *                            each, or "refused"
 *     fit_driver progbar     lines on stdin: "begin TARGET VERBOSE TIME", "target N", "update CURRENT
 *                            TIME LAST NAME VALUE ..."; what the progress bar prints comes out */
#include "base/fs.h"
#include "callbacks/template.h"
#include "formats/json.h"
#include "layers/layer.h"
#include "models/model.h"
#include "training/callback.h"
#include "training/progbar.h"
#include <keratin/keratin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CALLBACKS = 16, MOST_VALUES = 256 };

typedef struct run {
    krt_ctx *k;
    krti_arena arena;
    const krti_conf *spec;
    krt_model *m;
    krt_tensor *x, *y;
    double rates[MOST_VALUES];
    int64_t pass, batch; /* of a source */
    int64_t kill_epoch, kill_batch, epoch;
    krt_array batch_x, batch_y;
} run;

static int64_t integer(const krti_conf *c, int64_t fallback)
{
    int64_t value = fallback;

    return krti_conf_as_int(c, &value) ? value : fallback;
}

static const char *text(const run *r, const char *key)
{
    return krti_conf_get_text(r->spec, key);
}

/* ------------------------------------------------------------------------------- callbacks */

/* Logs the scripted values, and dies when it is time. */
static krt_status log_script(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const run *r = user;
    const krti_conf *script = krti_conf_get(r->spec, "script");
    krt_status st = KRT_OK;

    (void)logs;
    for (size_t i = 0; st == KRT_OK && i < krti_conf_num(script); i++) {
        const krti_conf *value = krti_conf_at(krti_conf_at(script, i), (size_t)epoch);
        double number = 0;

        if (krti_conf_as_float(value, &number))
            st = krt_add_log(m, script->as.list.keys[i], number);
        else if (krti_conf_text(value) != NULL) /* "nan" or "inf"; null: nothing in this epoch */
            st = krt_add_log(m, script->as.list.keys[i], strtod(krti_conf_text(value), NULL));
    }
    return st;
}

static krt_status note_epoch(void *user, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    (void)m;
    (void)logs;
    ((run *)user)->epoch = epoch;
    return KRT_OK;
}

static krt_status die(void *user, krt_model *m, int64_t batch, const krt_logs *logs)
{
    const run *r = user;

    (void)m;
    (void)logs;
    if (r->epoch == r->kill_epoch && batch == r->kill_batch)
        (void)kill(getpid(), SIGKILL);
    return KRT_OK;
}

static double next_rate(void *user, int64_t epoch, double rate)
{
    (void)rate;
    return ((const run *)user)->rates[epoch % MOST_VALUES];
}

static const krt_spec *callback(run *r, const krti_conf *object)
{
    const char *name = krti_conf_get_text(object, "class_name");
    const krti_conf *rates = krti_conf_get(krti_conf_get(object, "config"), "rates");
    void *args = NULL;
    krti_conf_spec given = {{KRTI_CONF_SPEC, name}, object};

    for (size_t i = 0; i < krti_conf_num(rates) && i < MOST_VALUES; i++)
        (void)krti_conf_as_float(krti_conf_at(rates, i), &r->rates[i]);
    for (const krti_callback_class *const *c = krti_callback_classes; *c != NULL; c++)
        if (strcmp((*c)->base.name, name) == 0 &&
            krti_object_args(&r->m->base, &(*c)->base, &given.spec, &args) == KRT_OK) {
            if (strcmp(name, "LearningRateScheduler") == 0) {
                ((krt_lr_scheduler_args *)args)->schedule = next_rate;
                ((krt_lr_scheduler_args *)args)->user = r;
            }
            return args;
        }
    return NULL;
}

/* ------------------------------------------------------------------------------- data */

static krt_status next_batch(void *user, krt_batch *batch, bool *is_end)
{
    run *r = user;
    const krti_conf *sizes = krti_conf_get(r->spec, "batches");
    const int64_t size = integer(krti_conf_get(krti_conf_get(r->spec, "fit"), "batch_size"), 32);
    const size_t pass = (size_t)r->pass % (krti_conf_num(sizes) > 0 ? krti_conf_num(sizes) : 1);

    if (r->batch == integer(krti_conf_at(sizes, pass), 0)) {
        *is_end = true;
        r->batch = 0;
        r->pass++;
        return KRT_OK;
    }
    const krt_tensor *const from[] = {r->x, r->y};
    krt_array *const to[] = {&r->batch_x, &r->batch_y};
    for (int i = 0; i < 2; i++) {
        krt_shape shape = from[i]->shape;
        const int64_t rows = shape.dim[0];
        const size_t row = (size_t)(r->batch * size % (rows - size));

        shape.dim[0] = size;
        *to[i] =
            (krt_array){from[i]->dtype, shape,
                        (const char *)from[i]->data + row * (from[i]->size_bytes / (size_t)rows)};
    }
    r->batch++;
    *batch = (krt_batch){.num_x = 1, .x = &r->batch_x, .num_y = 1, .y = &r->batch_y};
    return KRT_OK;
}

/* ------------------------------------------------------------------------------- fit */

static krt_fit_args fit_args(run *r, const krti_conf *given)
{
    krt_fit_args a = *KRT_FIT(.epochs = 1);
    const krti_conf *epochs = krti_conf_get(given, "validation_epochs");
    const struct {
        const char *name;
        int64_t *member;
    } numbers[] = {{"batch_size", &a.batch_size},
                   {"epochs", &a.epochs},
                   {"initial_epoch", &a.initial_epoch},
                   {"steps_per_epoch", &a.steps_per_epoch},
                   {"validation_steps", &a.validation_steps},
                   {"validation_batch_size", &a.validation_batch_size},
                   {"validation_freq", &a.validation_freq}};
    double *items = krti_arena_array(&r->arena, MOST_VALUES, sizeof *items);

    for (size_t i = 0; i < KRTI_COUNT(numbers); i++)
        *numbers[i].member = integer(krti_conf_get(given, numbers[i].name), *numbers[i].member);
    a.verbose = (int)integer(krti_conf_get(given, "verbose"), 0);
    a.shuffle = integer(krti_conf_get(given, "shuffle"), 0) != 0;
    (void)krti_conf_as_float(krti_conf_get(given, "validation_split"), &a.validation_split);
    for (size_t i = 0; items != NULL && i < krti_conf_num(epochs) && i < MOST_VALUES; i++)
        (void)krti_conf_as_float(krti_conf_at(epochs, i), &items[a.validation_epochs.n++]);
    a.validation_epochs.items = items;
    return a;
}

static krt_status write_history(const run *r, const krt_history *h)
{
    krti_arena a = KRTI_ARENA_INIT(r->k);
    krti_str s = KRTI_STR_INIT(r->k);
    krti_conf *dict = krti_conf_dict(&a);
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < krt_history_num(h); i++) {
        size_t n = 0;
        const double *values = krt_history_get(h, krt_history_name(h, i), &n);
        krti_conf *list = krti_conf_list(&a);

        for (size_t e = 0; st == KRT_OK && e < n; e++)
            st = krti_conf_add(&a, list, krti_conf_float(&a, values[e]));
        if (st == KRT_OK)
            st = krti_conf_set(&a, dict, krt_history_name(h, i), list);
    }
    if (st == KRT_OK)
        st = krti_json_write(&s, dict, -1);
    if (st == KRT_OK)
        st = krt_write_file(r->k, text(r, "history"), krti_str_text(&s), s.length);
    krti_str_free(&s);
    krti_arena_free(&a);
    return st;
}

static krt_status fit(run *r)
{
    const krti_conf *given = krti_conf_get(r->spec, "callbacks");
    const krti_conf *at = krti_conf_get(r->spec, "kill_at");
    const krt_tensor *const x[] = {r->x}, *const y[] = {r->y};
    const krt_spec *items[MOST_CALLBACKS];
    krt_history *h = NULL;
    krt_fit_args a = fit_args(r, krti_conf_get(r->spec, "fit"));
    const bool has_source = krti_conf_get(r->spec, "batches") != NULL;
    const krt_spec *const scripted = KRT_CALLBACK(.user = r, .on_epoch_end = log_script);
    const krt_spec *const killing =
        KRT_CALLBACK(.user = r, .on_epoch_begin = note_epoch, .on_train_batch_end = die);
    krt_status st = KRT_OK;

    r->kill_epoch = integer(krti_conf_at(at, 0), -1);
    r->kill_batch = integer(krti_conf_at(at, 1), -1);
    if (krti_conf_get(r->spec, "script") != NULL)
        items[a.callbacks.n++] = scripted;
    for (size_t i = 0; i < krti_conf_num(given) && a.callbacks.n < MOST_CALLBACKS - 1; i++)
        items[a.callbacks.n++] = callback(r, krti_conf_at(given, i));
    if (at != NULL)
        items[a.callbacks.n++] = killing;
    a.callbacks.items = items;
    a.history = &h;
    const krt_source *source = KRT_SOURCE(next_batch, .user = r);
    st = krt_fit_data(r->m,
                      has_source ? KRT_DATA(.source = source)
                                 : KRT_DATA(.num_x = 1, .x = x, .num_y = 1, .y = y),
                      &a);
    if (st == KRT_OK && text(r, "history") != NULL)
        st = write_history(r, h);
    krt_history_free(h);
    return st;
}

/* ------------------------------------------------------------------------------- single batches */

static krt_status rows_of(const krt_tensor *from, int64_t first, int64_t n, krt_tensor **out)
{
    krt_shape shape = from->shape;
    const size_t row = from->size_bytes / (size_t)shape.dim[0];

    shape.dim[0] = n;
    return krt_tensor_wrap(from->owned.k, out, from->dtype, shape,
                           (const char *)from->data + (size_t)first * row);
}

static krt_status on_batch(run *r, const krti_conf *step)
{
    const char *kind = krti_conf_text(krti_conf_at(step, 0));
    const int64_t first = integer(krti_conf_at(step, 1), 0), n = integer(krti_conf_at(step, 2), 1);
    const krt_logs *logs = NULL;
    krt_tensor *x = NULL, *y = NULL;
    krt_status st = KRT_OK;

    if (strcmp(kind, "reset") == 0) {
        krt_reset_metrics(r->m);
        return KRT_OK;
    }
    TRY(rows_of(r->x, first, n, &x));
    TRY(rows_of(r->y, first, n, &y));
    const krt_data *data = KRT_DATA(.num_x = 1, .x = (const krt_tensor *const *)&x, .num_y = 1,
                                    .y = (const krt_tensor *const *)&y);
    TRY((strcmp(kind, "train") == 0 ? krt_train_on_batch : krt_test_on_batch)(r->m, &logs, data));
    for (size_t i = 0; i < logs->n; i++)
        printf("%s %.6f%s", logs->names[i], logs->values[i], i + 1 < logs->n ? ", " : "\n");

done:
    krt_tensor_free(x);
    krt_tensor_free(y);
    return st;
}

static krt_status do_all(run *r, const char *path)
{
    const krti_conf *batches = NULL, *evaluate = NULL, *predict = NULL;
    const krt_logs *logs = NULL;
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    TRY(krti_bytes_map(r->k, &bytes, path));
    TRY(krti_json_parse(&r->arena, &r->spec, bytes->data, bytes->size));
    TRY(krt_load(r->k, &r->m, text(r, "model"), NULL));
    TRY(krt_tensor_read(r->k, &r->x, text(r, "x")));
    TRY(krt_tensor_read(r->k, &r->y, text(r, "y")));
    batches = krti_conf_get(r->spec, "on_batch");
    for (size_t i = 0; i < krti_conf_num(batches); i++)
        TRY(on_batch(r, krti_conf_at(batches, i)));
    evaluate = krti_conf_get(r->spec, "evaluate");
    predict = krti_conf_get(r->spec, "predict");
    if (krti_conf_get(r->spec, "fit") != NULL)
        TRY(fit(r));
    if (evaluate != NULL)
        TRY(krt_evaluate(
            r->m, &logs, r->x, r->y,
            KRT_EVALUATE(.batch_size = integer(krti_conf_get(evaluate, "batch_size"), 32),
                         .steps = integer(krti_conf_get(evaluate, "steps"), KRT_NONE),
                         .verbose = (int)integer(krti_conf_get(evaluate, "verbose"), 0))));
    if (predict != NULL) {
        krt_tensor *out = NULL;

        TRY(krt_predict_data(
            r->m, &out, 1, KRT_DATA(.num_x = 1, .x = (const krt_tensor *const *)&r->x),
            KRT_EVALUATE(.batch_size = integer(krti_conf_get(predict, "batch_size"), 32),
                         .verbose = (int)integer(krti_conf_get(predict, "verbose"), 0))));
        krt_tensor_free(out);
    }
    if (text(r, "save") != NULL)
        TRY(krt_save(r->m, text(r, "save"), NULL));

done:
    krti_bytes_drop(bytes);
    return st;
}

/* ------------------------------------------------------------------------------- progbar */

/* Ends the word at *at and steps behind it; NULL: there is none. */
static char *next_word(char **at)
{
    char *const word = *at + strspn(*at, " \n");
    char *const end = word + strcspn(word, " \n");

    *at = *end != '\0' ? end + 1 : end;
    *end = '\0';
    return end > word ? word : NULL;
}

static void show_update(krti_progbar *p, krti_str *out, char *line)
{
    const char *names[MOST_CALLBACKS];
    double values[MOST_CALLBACKS];
    krt_logs logs = {.names = names, .values = values};
    const int64_t current = strtoll(next_word(&line), NULL, 10);
    const double now = strtod(next_word(&line), NULL);
    const bool is_last = strcmp(next_word(&line), "1") == 0;

    for (char *name = NULL; (name = next_word(&line)) != NULL && logs.n < MOST_CALLBACKS;) {
        names[logs.n] = name;
        values[logs.n++] = strtod(next_word(&line), NULL);
    }
    krti_str_clear(out);
    if (krti_progbar_update(p, current, &logs, is_last, now, out) == KRT_OK && out->length > 0)
        fputs(krti_str_text(out), stdout);
}

static void show_progbar(krt_ctx *k)
{
    krti_str out = KRTI_STR_INIT(k);
    krti_progbar p = {0};
    char line[4096];

    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "begin ", 6) == 0) {
            char *at = line + 6;
            const int64_t target = strtoll(next_word(&at), NULL, 10);
            const int verbose = (int)strtol(next_word(&at), NULL, 10);

            p = krti_progbar_begin(target < 0 ? KRT_NONE : target, verbose,
                                   strtod(next_word(&at), NULL));
        } else if (strncmp(line, "target ", 7) == 0) {
            p.target = strtoll(line + 7, NULL, 10);
        } else {
            show_update(&p, &out, line + 7);
        }
    }
    krti_str_free(&out);
}

/* ------------------------------------------------------------------------------- templates */

static void show_templates(krt_ctx *k)
{
    krti_str out = KRTI_STR_INIT(k);
    char line[4096];

    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *names[MOST_CALLBACKS];
        double values[MOST_CALLBACKS];
        krt_logs logs = {.names = names, .values = values};
        char *at = line;
        const char *template = next_word(&at);
        const int64_t epoch = strtoll(next_word(&at), NULL, 10);
        const int64_t batch = strtoll(next_word(&at), NULL, 10);
        const krti_template_values v = {epoch, batch, &logs};

        for (char *name = NULL; (name = next_word(&at)) != NULL && logs.n < MOST_CALLBACKS;) {
            names[logs.n] = name;
            values[logs.n++] = strtod(next_word(&at), NULL);
        }
        krti_str_clear(&out);
        puts(krti_template_format(k, &out, template, &v) == KRT_OK ? krti_str_text(&out)
                                                                   : "refused");
    }
    krti_str_free(&out);
}

int main(int argc, char **argv)
{
    run r = {.kill_epoch = -1};
    krt_status st = KRT_OK;

    if (argc != 2 || krt_ctx_new(&r.k, KRT_CTX(.seed = 1, .threads = 1)) != KRT_OK)
        return 2;
    r.arena = (krti_arena)KRTI_ARENA_INIT(r.k);
    if (strcmp(argv[1], "progbar") == 0)
        show_progbar(r.k);
    else if (strcmp(argv[1], "template") == 0)
        show_templates(r.k);
    else
        st = do_all(&r, argv[1]);
    if (st != KRT_OK)
        fprintf(stderr, "fit_driver: %s\n", krt_ctx_error(r.k)->message);
    krt_tensor_free(r.x);
    krt_tensor_free(r.y);
    krti_arena_free(&r.arena);
    krt_ctx_free(r.k);
    return st == KRT_OK ? 0 : 1;
}
