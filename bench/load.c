/* The bench's load: keep-alive connections that send one request again and again.
 *
 * Usage: load PORT CONNECTIONS SECONDS RATE STAGGER_MS REQUEST_FILE
 *
 * RATE 0 sends the next request as soon as the last one is answered, connection after connection
 * beginning STAGGER_MS later than the one before; else that many a second start on schedule, and
 * their time counts from the schedule, not from a late send. A chat chunk whose content is a
 * monotonic clock (upstream.c) is timed from then. No request starts after SECONDS; those under way
 * are waited for. Prints one JSON object; all times are microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64 * 1024 };
enum Part { IDLE, HEAD, LENGTH, SIZE, DATA, DATA_END, TRAILER };

typedef struct {
    double *values;
    size_t count, room;
} Series;

typedef struct {
    int fd, status, first_seen, done_seen, is_stream;
    enum Part part;
    size_t left, line_used;
    int digits;
    long long started;
    char size[32];
    char line[LINE];
} Connection;

static Series whole_times, first_times, event_times;
static struct sockaddr_in target;
static char *request;
static size_t request_length;
static long errors, streams_done, due_count;
static long long begun, deadline, period, stagger;
static int poller, connection_count, opened, busy;
static Connection *pool;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void add(Series *s, double nanoseconds) {
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 65536;
        s->values = realloc(s->values, s->room * sizeof *s->values);
    }
    s->values[s->count++] = nanoseconds / 1000;
}

static void connect_again(Connection *c) {
    int one = 1;
    if (c->fd >= 0) close(c->fd);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target)) {
        perror("load: connect");
        exit(1);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (unsigned)(c - pool)};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    c->part = IDLE;
}

static void begin(Connection *c, long long scheduled) {
    c->part = HEAD;
    c->started = scheduled;
    c->line_used = 0;
    c->digits = 0;
    c->first_seen = c->done_seen = c->is_stream = 0;
    busy++;
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) {
        errors++;
        busy--;
        connect_again(c);
    }
}

static void next(Connection *c) {
    long long t = now();
    if (t >= deadline) return;
    if (!period) {
        begin(c, t);
    } else if (begun + due_count * period <= t) {
        long long scheduled = begun + due_count++ * period;
        begin(c, scheduled);
    }
}

static void fail(Connection *c, const char *why) {
    if (!errors++) fprintf(stderr, "load: %s (status %d): %.*s\n", why, c->status, (int)c->line_used, c->line);
    busy--;
    connect_again(c);
    next(c);
}

static void finish(Connection *c) {
    c->part = IDLE;
    busy--;
    if (c->status != 200 || (c->is_stream && !c->done_seen)) {
        if (!errors++) fprintf(stderr, "load: status %d: %.*s\n", c->status, (int)c->line_used, c->line);
    } else {
        add(&whole_times, (double)(now() - c->started));
        streams_done += c->is_stream;
    }
    next(c);
}

static void event_line(Connection *c) {
    static const char *MARK = "\"content\":\"";
    if (strncmp(c->line, "data: ", 6)) return;
    if (!c->first_seen++) add(&first_times, (double)(now() - c->started));
    char *content = memmem(c->line, c->line_used, MARK, strlen(MARK));
    if (content) add(&event_times, (double)(now() - strtoll(content + strlen(MARK), NULL, 10)));
    if (!strncmp(c->line, "data: [DONE]", 12)) c->done_seen = 1;
    if (!strncmp(c->line, "data: {\"error\"", 14)) fprintf(stderr, "load: %.*s\n", (int)c->line_used, c->line);
}

static void body(Connection *c, const char *data, size_t length) {
    if (!c->is_stream && c->status == 200) return;
    for (size_t i = 0; i < length; i++) {
        if (c->line_used < LINE - 1) c->line[c->line_used++] = data[i];
        if (data[i] != '\n' || !c->is_stream) continue;
        c->line[c->line_used] = 0;
        event_line(c);
        c->line_used = 0;
    }
}

/* The response's head is in c->line; says how its body is delimited. */
static int head(Connection *c) {
    c->line[c->line_used] = 0;
    c->status = c->line_used > 12 ? atoi(c->line + 9) : 0;
    char *length = strcasestr(c->line, "\ncontent-length:");
    c->is_stream = c->status == 200 && strcasestr(c->line, "text/event-stream") != NULL;
    c->left = length ? strtoul(length + 16, NULL, 10) : 0;
    c->part = length ? LENGTH : SIZE;
    int known = length || strcasestr(c->line, "\ntransfer-encoding:");
    c->line_used = 0;
    return known;
}

static size_t take(Connection *c, const char *data, size_t length) {
    size_t n = length < c->left ? length : c->left;
    body(c, data, n);
    c->left -= n;
    return n;
}

static void one_byte(Connection *c, char byte) {
    if (c->part == HEAD) {
        if (c->line_used == LINE - 1) return;
        c->line[c->line_used++] = byte;
        if (c->line_used < 4 || memcmp(c->line + c->line_used - 4, "\r\n\r\n", 4)) return;
        if (!head(c)) fail(c, "neither content-length nor chunked");
        else if (c->part == LENGTH && !c->left) finish(c);
    } else if (c->part == SIZE) {
        if (byte != '\n') {
            if (c->digits < 31) c->size[c->digits++] = byte;
            return;
        }
        c->size[c->digits] = 0;
        c->digits = 0;
        c->left = strtoul(c->size, NULL, 16);
        c->part = c->left ? DATA : TRAILER;
    } else if (c->part == DATA_END) {
        if (byte == '\n') c->part = SIZE;
    } else if (c->part == TRAILER && byte == '\n') {
        finish(c);
    }
}

static void feed(Connection *c, const char *data, size_t length) {
    int fd = c->fd;
    while (length && c->part != IDLE && c->fd == fd) {
        size_t n = 1;
        if (c->part == LENGTH || c->part == DATA) {
            n = take(c, data, length);
            if (!c->left && c->part == DATA) c->part = DATA_END;
            else if (!c->left) finish(c);
        } else {
            one_byte(c, *data);
        }
        data += n;
        length -= n;
    }
}

static void readable(Connection *c) {
    static char input[256 * 1024];
    ssize_t n = recv(c->fd, input, sizeof input, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) feed(c, input, (size_t)n);
    else if (c->part != IDLE) fail(c, "closed in the middle of an answer");
    else connect_again(c), next(c);
}

static void start_due(void) {
    for (int i = 0; i < connection_count && now() < deadline; i++) {
        if (begun + due_count * period > now()) return;
        if (pool[i].part == IDLE) next(&pool[i]);
    }
}

static void open_due(void) {
    while (opened < connection_count && now() >= begun + opened * stagger) next(&pool[opened++]);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at(Series *s, double share) {
    return s->count ? s->values[(size_t)((double)(s->count - 1) * share)] : 0;
}

static void report(double seconds) {
    Series *all[] = {&whole_times, &first_times, &event_times};
    for (int i = 0; i < 3; i++) qsort(all[i]->values, all[i]->count, sizeof(double), ascending);
    printf("{\"requests\": %zu, \"errors\": %ld, \"streams\": %ld, \"events\": %zu, \"seconds\": %.4f, "
           "\"p50\": %.1f, \"p99\": %.1f, \"first_p50\": %.1f, \"first_p99\": %.1f, "
           "\"event_p50\": %.1f, \"event_p99\": %.1f}\n",
           whole_times.count, errors, streams_done, event_times.count, seconds, at(&whole_times, 0.5),
           at(&whole_times, 0.99), at(&first_times, 0.5), at(&first_times, 0.99), at(&event_times, 0.5),
           at(&event_times, 0.99));
}

static void read_request(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) exit(2);
    request = malloc(1 << 20);
    request_length = fread(request, 1, 1 << 20, f);
    fclose(f);
}

static void arm(int timer) {
    struct itimerspec every = {0};
    long step = period < 1000000 ? 1000000 : (long)period;
    every.it_interval.tv_sec = every.it_value.tv_sec = step / 1000000000;
    every.it_interval.tv_nsec = every.it_value.tv_nsec = step % 1000000000;
    if (period || stagger) timerfd_settime(timer, 0, &every, NULL);
}

int main(int argc, char **argv) {
    if (argc != 7) return 2;
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    connection_count = atoi(argv[2]);
    double seconds = atof(argv[3]), rate = atof(argv[4]);
    stagger = (long long)(atof(argv[5]) * 1e6);
    read_request(argv[6]);
    period = rate > 0 ? (long long)(1e9 / rate) : 0;
    poller = epoll_create1(0);
    pool = calloc((size_t)connection_count, sizeof *pool);
    for (int i = 0; i < connection_count; i++) pool[i].fd = -1, connect_again(&pool[i]);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = (unsigned)connection_count}, ready[512];
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e);
    begun = now();
    deadline = begun + (long long)(seconds * 1e9);
    arm(timer);
    if (!period) open_due();
    while (busy || now() < deadline) {
        int n = epoll_wait(poller, ready, 512, 100);
        for (int i = 0; i < n; i++) {
            char drain[8];
            if (ready[i].data.u32 == (unsigned)connection_count) (void)!read(timer, drain, sizeof drain);
            else readable(&pool[ready[i].data.u32]);
        }
        if (period) start_due();
        else open_due();
        if (now() > deadline + 60000000000LL) errors += busy, busy = 0;
    }
    report((double)(now() - begun) / 1e9);
    return 0;
}
