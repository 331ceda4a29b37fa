/* RemoteMonitor against a server of its own: the requests of two epochs, byte for byte but for the
 * port, as Keras's (by Python's `requests`) hold the same body. */
#include "testing.h"

#include <keratin/keratin.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST = 2048 };

/* A socket on a free port of this machine. */
static int listen_here(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(0, bind(fd, (const struct sockaddr *)&a, sizeof a));
    assert_int_equal(0, listen(fd, 4));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&a, &size));
    *port = ntohs(a.sin_port);
    return fd;
}

static bool is_whole(const char *request)
{
    const char *body = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");

    return body != NULL && length != NULL && strlen(body + 4) >= strtoul(length + 16, NULL, 10);
}

/* Reads requests, answers each and passes it on, zero included. */
static void serve(int fd, int out, int requests)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    for (int i = 0; i < requests; i++) {
        char request[REQUEST] = {0};
        size_t n = 0;
        const int from = accept(fd, NULL, NULL);

        while (!is_whole(request)) {
            const ssize_t more = read(from, request + n, sizeof request - 1 - n);

            if (more <= 0)
                _exit(1);
            n += (size_t)more;
        }
        if (write(from, answer, sizeof answer - 1) < 0 || write(out, request, n + 1) < 0)
            _exit(1);
        close(from);
    }
    _exit(0);
}

typedef struct server {
    pid_t process;
    int port, out;
    char root[64];
} server;

static server start(int requests)
{
    server s = {.process = -1};
    int pipes[2];
    const int fd = listen_here(&s.port);

    assert_int_equal(0, pipe(pipes));
    s.process = fork();
    assert_true(s.process >= 0);
    if (s.process == 0)
        serve(fd, pipes[1], requests);
    close(fd);
    close(pipes[1]);
    s.out = pipes[0];
    snprintf(s.root, sizeof s.root, "http://127.0.0.1:%d", s.port);
    return s;
}

/* All it was told, request after request. */
static void stop(server *s, char *told, size_t size)
{
    size_t n = 0;
    int status = 0;

    for (ssize_t more = 1; more > 0; n += (size_t)more) {
        more = read(s->out, told + n, size - n);
        assert_true(more >= 0);
    }
    close(s->out);
    assert_int_equal(s->process, waitpid(s->process, &status, 0));
    assert_int_equal(0, status);
}

static void keep_log(void *user, int level, const char *text)
{
    (void)level;
    snprintf(user, REQUEST, "%s", text);
}

/* Two epochs whose loss is 0.25 whatever happens. */
static krt_status fit(krt_ctx *k, const krt_spec *monitor)
{
    static const float x[2] = {0, 0}, y[2] = {0.5f, 0.5f};
    krt_tensor *data = NULL, *labels = NULL;
    krt_model *m = krt_sequential(k, NULL);

    krt_add_input(m, KRT_SHAPE(1), NULL);
    krt_add(m, KRT_DENSE(1, .use_bias = false));
    assert_int_equal(KRT_OK,
                     krt_compile(m, KRT_COMPILE(.optimizer = KRT_SGD(), .loss = KRT_ID("mse"),
                                                .metrics = KRT_SPECS(KRT_ID("mae")))));
    assert_int_equal(KRT_OK, krt_tensor_from(k, &data, KRT_FLOAT32, KRT_SHAPE(2, 1), x));
    assert_int_equal(KRT_OK, krt_tensor_from(k, &labels, KRT_FLOAT32, KRT_SHAPE(2, 1), y));
    return krt_fit(m, data, labels, KRT_FIT(.epochs = 2, .callbacks = KRT_SPECS(monitor)));
}

#define HEAD(path, type, length)                                                             \
    "POST " path " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/" type "\r\n" \
    "Content-Length: " length "\r\nConnection: close\r\n\r\n"

static void expect(const char *found, const char *format, int port)
{
    char expected[REQUEST];

    snprintf(expected, sizeof expected, format, port);
    ASSERT_STR_EQ(expected, found);
}

TEST(each_epoch_is_posted_as_a_form)
{
    server s = start(2);
    char told[2 * REQUEST] = {0};

    ASSERT_OK(fit(t->k, KRT_REMOTE_MONITOR(.root = s.root)));
    stop(&s, told, sizeof told);
    expect(told,
           HEAD("/publish/epoch/end/", "x-www-form-urlencoded",
                "69") "data=%%7B%%22epoch%%22%%3A+0%%2C+%%22loss%%22%%3A+0.25%%2C+%%22mae%%22%%3A+"
                      "0.5%%7D",
           s.port);
    expect(told + strlen(told) + 1,
           HEAD("/publish/epoch/end/", "x-www-form-urlencoded",
                "69") "data=%%7B%%22epoch%%22%%3A+1%%2C+%%22loss%%22%%3A+0.25%%2C+%%22mae%%22%%3A+"
                      "0.5%%7D",
           s.port);
}

TEST(each_epoch_is_posted_as_json)
{
    server s = start(2);
    char told[2 * REQUEST] = {0}, root[80];

    snprintf(root, sizeof root, "%s/inner", s.root);
    ASSERT_OK(fit(t->k, KRT_REMOTE_MONITOR(.root = root, .path = "/log", .send_as_json = true)));
    stop(&s, told, sizeof told);
    expect(told, HEAD("/inner/log", "json", "38") "{\"epoch\": 0, \"loss\": 0.25, \"mae\": 0.5}",
           s.port);
}

TEST(a_server_that_is_not_there_is_a_warning)
{
    char warned[REQUEST] = "", root[64], expected[128];
    krt_ctx *k = NULL;
    int port = 0;

    close(listen_here(&port));
    snprintf(root, sizeof root, "http://127.0.0.1:%d", port);
    snprintf(expected, sizeof expected, "Could not reach RemoteMonitor root server at %s", root);
    ASSERT_OK(krt_ctx_new(&k, KRT_CTX(.log = keep_log, .user = warned)));
    ASSERT_OK(fit(k, KRT_REMOTE_MONITOR(.root = root)));
    krt_ctx_free(k);
    ASSERT_STR_EQ(expected, warned);
}

int main(void)
{
    return RUN(UNIT(each_epoch_is_posted_as_a_form), UNIT(each_epoch_is_posted_as_json),
               UNIT(a_server_that_is_not_there_is_a_warning));
}
