/* The bench's upstream: answers at once, or streams one event every interval, and keeps connections alive.
 *
 * Usage: upstream INTERVAL_MS EVENTS        (prints its port, then serves until killed)
 *
 * A POST whose body holds "stream":true gets EVENTS chat chunks, a usage frame and [DONE]; each
 * chunk's content is the monotonic clock in nanoseconds at which it left. Any other POST gets a
 * chat completion of about 1 kB. GET /counts says how many of each were answered.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
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

enum { INPUT = 256 * 1024, MAX_CONNECTIONS = 8192 };

typedef struct {
    int fd, streaming, sent;
    size_t used;
    long long due;
    char *input;
} Connection;

static Connection *connections[MAX_CONNECTIONS];
static int streams[MAX_CONNECTIONS], stream_count;
static long long interval;
static long whole_replies, streamed_replies;
static int events_per_stream, poller;

static const char *CHUNK_HEAD =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,"
    "\"model\":\"instant\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
static const char *CHUNK_TAIL = "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char *FINISH =
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,"
    "\"model\":\"instant\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,"
    "\"model\":\"instant\",\"choices\":[],\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":200,"
    "\"total_tokens\":400,\"prompt_tokens_details\":{\"cached_tokens\":0},"
    "\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n"
    "data: [DONE]\n\n";
static char whole[4096];
static size_t whole_length;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int send_all(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {fd, POLLOUT, 0};
            if (poll(&p, 1, 1000) <= 0) return -1;
            continue;
        }
        if (n < 0) return -1;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

static int send_chunk(int fd, const char *body, size_t length, int last) {
    char out[4096];
    int n = snprintf(out, sizeof out, "%zx\r\n", length);
    memcpy(out + n, body, length);
    n += (int)length;
    n += snprintf(out + n, sizeof out - (size_t)n, last ? "\r\n0\r\n\r\n" : "\r\n");
    return send_all(fd, out, (size_t)n);
}

static void prepare_whole(void) {
    char body[2048], text[560];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    int n = snprintf(body, sizeof body,
        "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1764000000,\"model\":\"instant\","
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null,"
        "\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":200,"
        "\"completion_tokens\":120,\"total_tokens\":320,\"prompt_tokens_details\":{\"cached_tokens\":0,"
        "\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}},"
        "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\"}", text);
    whole_length = (size_t)snprintf(whole, sizeof whole,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: req_bench\r\n\r\n%s",
        n, body);
}

static void close_connection(Connection *c) {
    for (int i = 0; i < stream_count; i++)
        if (streams[i] == c->fd) streams[i--] = streams[--stream_count];
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->input);
    free(c);
}

static int send_event(Connection *c) {
    char body[1024];
    if (c->sent == events_per_stream) {
        for (int i = 0; i < stream_count; i++)
            if (streams[i] == c->fd) streams[i--] = streams[--stream_count];
        c->streaming = 0;
        return send_chunk(c->fd, FINISH, strlen(FINISH), 1);
    }
    c->sent++;
    c->due += interval;
    int n = snprintf(body, sizeof body, "%s%019lld%s", CHUNK_HEAD, now(), CHUNK_TAIL);
    return send_chunk(c->fd, body, (size_t)n, 0);
}

static int begin_stream(Connection *c) {
    static const char *HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                              "Transfer-Encoding: chunked\r\nx-request-id: req_bench\r\n\r\n";
    streamed_replies++;
    c->streaming = 1;
    c->sent = 0;
    c->due = now();
    streams[stream_count++] = c->fd;
    return send_all(c->fd, HEAD, strlen(HEAD)) || send_event(c);
}

static int answer(Connection *c, const char *body, size_t length) {
    if (!strncmp(c->input, "GET ", 4)) {
        char out[256], counts[128];
        int n = snprintf(counts, sizeof counts, "{\"whole\":%ld,\"streams\":%ld,\"object\":\"list\",\"data\":[]}",
                         whole_replies, streamed_replies);
        n = snprintf(out, sizeof out,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, counts);
        return send_all(c->fd, out, (size_t)n);
    }
    if (memmem(body, length, "\"stream\":true", 13)) return begin_stream(c);
    whole_replies++;
    return send_all(c->fd, whole, whole_length);
}

/* Length of the request at the head of the input, 0 while it is incomplete. */
static size_t complete(Connection *c, size_t *head) {
    c->input[c->used] = 0;
    char *end = strstr(c->input, "\r\n\r\n");
    if (!end) return 0;
    *head = (size_t)(end - c->input) + 4;
    *end = 0;
    char *field = strcasestr(c->input, "\ncontent-length:");
    char *chunked = strcasestr(c->input, "\ntransfer-encoding:");
    *end = '\r';
    if (field) {
        size_t total = *head + strtoul(field + 16, NULL, 10);
        return c->used >= total ? total : 0;
    }
    if (!chunked) return *head;
    char *last = memmem(c->input + *head, c->used - *head, "0\r\n\r\n", 5);
    return last ? (size_t)(last - c->input) + 5 : 0;
}

static void readable(Connection *c) {
    ssize_t n = recv(c->fd, c->input + c->used, INPUT - 1 - c->used, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        close_connection(c);
        return;
    }
    c->used += (size_t)n;
    size_t head = 0, total;
    while (!c->streaming && (total = complete(c, &head))) {
        if (answer(c, c->input + head, total - head)) {
            close_connection(c);
            return;
        }
        memmove(c->input, c->input + total, c->used - total);
        c->used -= total;
    }
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        c->input = malloc(INPUT);
        connections[fd] = c;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

static void send_due(void) {
    long long t = now();
    for (int i = 0; i < stream_count; i++) {
        int fd = streams[i];
        if (connections[fd]->due > t) continue;
        if (send_event(connections[fd])) close_connection(connections[fd]);
        if (i < stream_count && streams[i] != fd) i--;
    }
}

static void arm(int timer) {
    struct itimerspec at = {0};
    long long first = 0;
    for (int i = 0; i < stream_count; i++)
        if (!first || connections[streams[i]]->due < first) first = connections[streams[i]]->due;
    at.it_value.tv_sec = first / 1000000000LL;
    at.it_value.tv_nsec = first % 1000000000LL;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static int listen_anywhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096)) exit(1);
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    interval = (long long)(atof(argv[1]) * 1e6);
    events_per_stream = atoi(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    prepare_whole();
    poller = epoll_create1(0);
    int listener = listen_anywhere(), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    e.data.fd = timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &e);
    for (;;) {
        arm(timer);
        int n = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            char drain[8];
            if (fd == listener) accept_all(listener);
            else if (fd == timer) (void)!read(timer, drain, sizeof drain);
            else if (connections[fd]) readable(connections[fd]);
        }
        send_due();
    }
}
