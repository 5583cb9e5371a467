// The floor: a program started again and again by vfork and exec over a few slots, with the least that still takes its
// output and its end. Nothing that runs a process per test can be faster by more than noise.
//
//   floor SLOTS tests BINARY < NAMES      BINARY --exact NAME --nocapture, once for each line of NAMES
//   floor SLOTS times N PROGRAM [ARG]...  the same program N times
//
// Prints `jobs failed bytes total_us min_us median_us own_us`: the third and second last are of one job from its start to
// its end, the last is the processor time of the floor itself, without its jobs'.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SLOTS = 64 };

struct slot {
    pid_t pid; // 0 while free
    double begun;
};

static double now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void die(const char *what) {
    perror(what);
    exit(2);
}

static char **read_names(size_t *count) {
    char **names = NULL, *line = NULL;
    size_t room = 0, size = 0;
    ssize_t length;
    for (*count = 0; (length = getline(&line, &size, stdin)) > 0; ++*count) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        if (*count == room && !(names = realloc(names, (room = room * 2 + 64) * sizeof *names))) die("realloc");
        if (!(names[*count] = strdup(line))) die("strdup");
    }
    free(line);
    return names;
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

// Starts one job; both its streams go into one pipe, whose reading end is returned.
static int start(struct slot *slot, char **args, int null) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) die("pipe2");
    slot->begun = now_us();
    slot->pid = vfork();
    if (slot->pid < 0) die("vfork");
    if (slot->pid == 0) {
        dup2(null, 0);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        setpgid(0, 0);
        execv(args[0], args);
        _exit(127);
    }
    close(ends[1]);
    return ends[0];
}

int main(int argc, char **argv) {
    if (argc < 4) return fputs("usage: floor SLOTS tests BINARY | floor SLOTS times N PROGRAM [ARG]...\n", stderr), 2;
    int slots = atoi(argv[1]), tests = !strcmp(argv[2], "tests");
    if (slots < 1 || slots > MAX_SLOTS) return fputs("floor: SLOTS is 1 to 64\n", stderr), 2;
    size_t jobs = 0, next = 0, ended = 0, failed = 0, bytes = 0;
    char **names = tests ? read_names(&jobs) : NULL;
    if (!tests) jobs = strtoul(argv[3], NULL, 10);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    double *took = calloc(jobs + 1, sizeof *took);
    struct slot slot[MAX_SLOTS] = {0};
    struct pollfd pipes[MAX_SLOTS];
    static char buffer[65536];
    for (int i = 0; i < MAX_SLOTS; i++) pipes[i] = (struct pollfd){.fd = -1, .events = POLLIN};

    double begun = now_us();
    while (ended < jobs) {
        for (int i = 0; i < slots && next < jobs; i++) {
            if (slot[i].pid) continue;
            char *of_test[] = {argv[3], "--exact", tests ? names[next] : NULL, "--nocapture", NULL};
            pipes[i].fd = start(&slot[i], tests ? of_test : argv + 4, null);
            next++;
        }
        if (poll(pipes, slots, -1) < 0 && errno != EINTR) die("poll");
        for (int i = 0; i < slots; i++) {
            if (pipes[i].fd < 0 || !pipes[i].revents) continue;
            ssize_t length = read(pipes[i].fd, buffer, sizeof buffer);
            if (length > 0) {
                bytes += length;
                continue;
            }
            int status;
            if (waitpid(slot[i].pid, &status, 0) < 0) die("waitpid");
            failed += status != 0;
            took[ended++] = now_us() - slot[i].begun;
            close(pipes[i].fd);
            pipes[i].fd = -1;
            slot[i].pid = 0;
        }
    }
    double total = now_us() - begun;
    qsort(took, ended, sizeof *took, by_size);
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    double own_us = (own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1e6 + own.ru_utime.tv_usec + own.ru_stime.tv_usec;
    printf("%zu %zu %zu %.1f %.1f %.1f %.1f\n", ended, failed, bytes, total, took[0], took[ended / 2], own_us);
    return failed != 0;
}
