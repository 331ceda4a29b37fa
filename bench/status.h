/* What this process holds, and the time, for the benchmarks' programs. */
#ifndef KERATIN_BENCH_STATUS_H
#define KERATIN_BENCH_STATUS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A field of /proc/self/status in bytes ("VmHWM", "RssAnon"); 0 where there is none. "VmHWM" is what the
 * program itself held at most, where getrusage() counts the image that it was forked from, too. */
static inline int64_t status_bytes(const char *field)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    int64_t bytes = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            bytes = strtoll(line + strlen(field) + 1, NULL, 10) * 1024;
    if (f != NULL)
        fclose(f);
    return bytes;
}

/* Milliseconds from some moment on. */
static inline double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#endif
