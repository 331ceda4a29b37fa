/* RemoteMonitor. Keras: callbacks/remote_monitor.py: an HTTP POST after each epoch.
 *
 * One small request by sockets, so no library is needed; https is refused by name. The server's
 * answer is read to its first line and not looked at, as Keras does not. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* getaddrinfo, sockets */
#endif
#include "callbacks/stock.h"
#include "formats/json.h"
#include "models/model.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WAIT_SECONDS = 5 };

typedef struct monitor {
    const krt_remote_monitor_args *a;
    char host[256], port[8];
    const char *prefix; /* of the path, in root */
} monitor;

/* "http://host:port/prefix" taken apart. */
static krt_status init(void *state, krt_model *m, const void *args)
{
    monitor *r = state;
    krt_ctx *k = m->base.owned.k;
    const char *p = NULL;

    r->a = args;
    if (r->a->root == NULL || !krti_starts_with(r->a->root, "http://"))
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "root is \"%s\": only plain http:// is spoken here; put a proxy in front "
                         "of other servers",
                         r->a->root != NULL ? r->a->root : "");
    p = r->a->root + 7;
    const size_t host = strcspn(p, ":/"), port = p[host] == ':' ? strcspn(p + host + 1, "/") : 0;
    if (host == 0 || host >= sizeof r->host || port >= sizeof r->port)
        return krti_fail(k, KRT_E_INVALID, NULL, "root is \"%s\", expected http://host:port",
                         r->a->root);
    memcpy(r->host, p, host);
    memcpy(r->port, port > 0 ? p + host + 1 : "80", port > 0 ? port : 2);
    r->prefix = p + host + (p[host] == ':' ? port + 1 : 0);
    return KRT_OK;
}

/* For a form: what is no letter, digit or one of "-._~" as %XX, as Python's urlencode, which writes
 * blanks as "+". */
static void put_encoded(krti_str *s, const char *text)
{
    for (; *text != '\0'; text++) {
        const bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                           (*text >= 'A' && *text <= 'Z') || strchr("-._~", *text) != NULL;

        if (plain)
            krti_str_add_n(s, text, 1);
        else if (*text == ' ')
            krti_str_add(s, "+");
        else
            krti_str_addf(s, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

static krt_status put_body(krti_str *body, const monitor *r, int64_t epoch, const krt_logs *logs)
{
    krti_arena arena = KRTI_ARENA_INIT(body->k);
    krti_str json = KRTI_STR_INIT(body->k);
    krti_conf *dict = krti_conf_dict(&arena);
    krt_status st = krti_conf_set(&arena, dict, "epoch", krti_conf_int(&arena, epoch));

    for (size_t i = 0; st == KRT_OK && i < logs->n; i++)
        st = krti_conf_set(&arena, dict, logs->names[i], krti_conf_float(&arena, logs->values[i]));
    if (st == KRT_OK)
        st = krti_json_write(&json, dict, -1);
    if (st == KRT_OK && r->a->send_as_json) {
        st = krti_str_add(body, krti_str_text(&json));
    } else if (st == KRT_OK) {
        put_encoded(body, r->a->field);
        krti_str_add(body, "=");
        put_encoded(body, krti_str_text(&json));
        st = body->status;
    }
    krti_str_free(&json);
    krti_arena_free(&arena);
    return st;
}

static int connect_to(const monitor *r)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval wait = {.tv_sec = WAIT_SECONDS};
    struct addrinfo *list = NULL;
    int fd = -1;

    if (getaddrinfo(r->host, r->port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static bool post(const monitor *r, const krti_str *request)
{
    const int fd = connect_to(r);
    const char *p = krti_str_text(request);
    size_t left = request->length;
    char answer[64];
    bool is_done = false;

    if (fd < 0)
        return false;
    while (left > 0) {
        const ssize_t n = send(fd, p, left, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        p += n;
        left -= (size_t)n;
    }
    is_done = left == 0 && recv(fd, answer, sizeof answer, 0) > 0;
    close(fd);
    return is_done;
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    const monitor *r = state;
    krt_ctx *k = m->base.owned.k;
    krti_str body = KRTI_STR_INIT(k), request = KRTI_STR_INIT(k);
    krt_status st = put_body(&body, r, epoch, logs);

    if (st == KRT_OK)
        st = krti_str_addf(&request,
                           "POST %s%s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/%s\r\n"
                           "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                           r->prefix, r->a->path, r->host, r->port,
                           r->a->send_as_json ? "json" : "x-www-form-urlencoded", body.length,
                           krti_str_text(&body));
    if (st == KRT_OK && !post(r, &request))
        krti_warn(k, "Could not reach RemoteMonitor root server at %s", r->a->root);
    krti_str_free(&body);
    krti_str_free(&request);
    return st;
}

static const krt_remote_monitor_args remote_monitor_defaults = {
    .spec = {sizeof remote_monitor_defaults, "RemoteMonitor"},
    .root = "http://localhost:9000",
    .path = "/publish/epoch/end/",
    .field = "data"};

static const krt_field remote_monitor_fields[] = {
    KRT_FIELD(krt_remote_monitor_args, STRING, root),
    KRT_FIELD(krt_remote_monitor_args, STRING, path),
    KRT_FIELD(krt_remote_monitor_args, STRING, field),
    KRT_FIELD(krt_remote_monitor_args, BOOL, send_as_json),
};

KRTI_STOCK(remote_monitor, "RemoteMonitor", krt_remote_monitor_args, remote_monitor_fields,
           .state_size = sizeof(monitor), .init = init, .hooks = {.on_epoch_end = on_epoch_end});
