/* The clients of a measurement: one process, one thread, that reads faster than a proxy writes.
 *
 *     client --port N --target PATH [--connections N] [--events N] [--big-bytes N]
 *            [--answer-bytes N] [--body-bytes N] [--chat] [--header LINE]...
 *            [--warmup-us N] [--window-us N] [--ramp-us N] [--once] [--patience-us N]
 *
 * Each connection makes one request after the other until the window closes, or, with --once,
 * a single one, which gets the patience to be complete. What happens in the window is counted;
 * "begin" and "end" are printed at its edges, so that who started us can read other counters
 * there, and the figures as one JSON object at the end.
 *
 *     --events        events that a complete stream has; 0 says that the answer is no stream
 *     --big-bytes     size of the image in the first of them
 *     --answer-bytes  size of an answer that is no stream
 *     --body-bytes    size of the request's body, at least
 *     --chat          the request and its answer are those of OpenAI's chat completions
 *     --header        a line of the request; eight # in it become a number, another for each one
 *     --ramp-us       time over which the connections are opened
 *
 * An event is a line with "data:". Its text is not stored but measured, and an answer is good
 * when its status is 200 and it has neither more nor fewer events and characters of text than
 * were asked for.
 */
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_BYTES = 1 << 18,
	HEAD_BYTES = 1 << 14,
	KEY_WITHIN = 1 << 12,	/* where in an event its text or image begins */
	EPOLL_EVENTS = 512,
	HEADERS_BYTES = 1 << 12,
};

static struct {
	uint16_t port;
	const char *target;
	unsigned connections, events;
	size_t big_bytes, answer_bytes, body_bytes;
	char headers[HEADERS_BYTES];
	uint64_t warmup, window, ramp, patience;
	bool once, chat;
} options = { .target = "/", .connections = 1, .window = 1000000000u, .patience = 10000000000u };

/* ---- figures ---- */

/* Nanoseconds in buckets that are 1/128 of their value wide. */
enum { FINE_BITS = 7, BUCKETS = 64 << FINE_BITS };
struct histogram {
	uint64_t buckets[BUCKETS], total;
};

static void note(struct histogram *h, uint64_t value)
{
	unsigned shift = 0;
	while (value >> shift >= 2u << FINE_BITS)
		shift++;
	h->buckets[(shift << FINE_BITS) + (value >> shift)]++;
	h->total++;
}

/* Return the middle of the bucket in which the fraction of all values is reached. */
static double percentile(const struct histogram *h, double fraction)
{
	uint64_t below = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		below += h->buckets[i];
		if (below > 0 && (double)below >= fraction * (double)h->total) {
			unsigned shift = i < 2u << FINE_BITS ? 0 : (i >> FINE_BITS) - 1;
			uint64_t low = (uint64_t)(i - (shift << FINE_BITS)) << shift;
			return (double)low + (double)(1ull << shift) / 2;
		}
	}
	return 0;
}

static struct {
	uint64_t events, answers, bytes;	/* in the window */
	uint64_t good, bad, reopened;		/* from first to last */
	struct histogram age, first_event, whole;
} seen;
static bool counting;

static void print_histogram(const char *name, const struct histogram *h)
{
	printf("\"%s_p50_us\": %.3f, \"%s_p99_us\": %.3f, ", name, percentile(h, 0.5) / 1e3, name,
	       percentile(h, 0.99) / 1e3);
}

/* ---- connections ---- */

struct conn {
	int fd;
	bool used;		/* it has carried an answer before */
	bool wants_out;		/* epoll tells when it can be written to */
	uint64_t began;		/* when the request was */
	size_t sent;

	char head[HEAD_BYTES];
	size_t head_length;
	bool in_body, closes;
	int status;
	struct body body;
	uint64_t body_bytes;

	char *line;		/* the beginning of a line whose end is still to come */
	size_t line_length, line_room;
	unsigned events;
	uint64_t text;
};

static struct conn *conns;
static unsigned opened, finished;
static char *request;
static size_t request_length;
static char *serial;	/* where the number of the request stands in it, or NULL */
static int poller;

static void make_request(void)
{
	static const char TURNS[] =
	    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Who keeps the lamp?\"}]},"
	    "{\"role\":\"model\",\"parts\":[{\"text\":\"Ada does.\"}]},"
	    "{\"role\":\"user\",\"parts\":[{\"text\":\"Tell me about her.\"}";
	static const char CHAT[] =
	    "{\"model\":\"bench\",\"stream\":true,\"messages\":["
	    "{\"role\":\"user\",\"content\":\"Who keeps the lamp?\"},"
	    "{\"role\":\"assistant\",\"content\":\"Ada does.\"},"
	    "{\"role\":\"user\",\"content\":\"Tell me about her.\"}]}";
	static const char IMAGE[] = ",{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"";
	size_t around = sizeof TURNS + sizeof IMAGE + 16;
	size_t image = options.body_bytes > around ? options.body_bytes - around : 0;
	char *body = must(malloc(image + around + sizeof CHAT));
	char *end = mempcpy(body, TURNS, sizeof TURNS - 1);
	if (image > 0) {
		end = mempcpy(end, IMAGE, sizeof IMAGE - 1);
		end = (char *)memset(end, 'A', image) + image;
		end = mempcpy(end, "\"}}", 3);
	}
	end = mempcpy(end, "]}]}", 4);
	if (options.chat)
		end = mempcpy(body, CHAT, sizeof CHAT - 1);
	size_t length = (size_t)(end - body);
	size_t room = length + strlen(options.target) + HEADERS_BYTES + 256;
	request = must(malloc(room));
	bool has_key = strstr(options.headers, "x-goog-api-key: ") != NULL;
	int head = snprintf(request, room,
			    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
			    "Content-Type: application/json\r\nAccept: */*\r\n"
			    "%s%sContent-Length: %zu\r\n\r\n",
			    options.target, options.port,
			    has_key ? "" : "x-goog-api-key: test-key\r\n", options.headers, length);
	memcpy(request + head, body, length);
	request_length = (size_t)head + length;
	serial = memmem(request, (size_t)head, "########", 8);
	free(body);
}

static void watch(struct conn *conn, int change, bool out)
{
	struct epoll_event event = { .events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = conn };
	if (epoll_ctl(poller, change, conn->fd, &event) < 0)
		fail("epoll_ctl");
	conn->wants_out = out;
}

/* A connection that breaks is noticed when it is read. */
static void send_rest(struct conn *conn)
{
	while (conn->sent < request_length) {
		ssize_t n = send(conn->fd, request + conn->sent, request_length - conn->sent,
				 MSG_NOSIGNAL);
		if (n < 0)
			break;
		conn->sent += (size_t)n;
	}
	bool out = conn->sent < request_length && (errno == EAGAIN || errno == ENOTCONN);
	if (out != conn->wants_out)
		watch(conn, EPOLL_CTL_MOD, out);
}

/* A request is smaller than a socket's buffer, so none is half sent when the next one is made. */
static void number_request(void)
{
	static unsigned number;
	char digits[9];
	if (serial == NULL)
		return;
	snprintf(digits, sizeof digits, "%08x", number++);
	memcpy(serial, digits, 8);
}

static void ask(struct conn *conn)
{
	number_request();
	conn->sent = conn->head_length = conn->line_length = 0;
	conn->in_body = false;
	conn->events = 0;
	conn->text = conn->body_bytes = 0;
	conn->began = now_ns();
	send_rest(conn);
}

static void open_connection(struct conn *conn)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(options.port) };
	int on = 1;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		fail("socket");
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(conn->fd, (struct sockaddr *)&address, sizeof address) < 0 &&
	    errno != EINPROGRESS)
		fail("connect");
	conn->used = false;
	watch(conn, EPOLL_CTL_ADD, true);
	ask(conn);
}

/* ---- answers ---- */

/* Return what stands after "key": " in an event, or NULL. */
static const char *value_of(const char *key, const char *line, size_t n)
{
	size_t within = n < KEY_WITHIN ? n : KEY_WITHIN;
	const char *at = memmem(line, within, key, strlen(key));
	if (at == NULL)
		return NULL;
	at += strlen(key);
	while (at < line + n && (*at == ':' || *at == ' '))
		at++;
	return at < line + n && *at == '"' ? at + 1 : NULL;
}

static void note_age(const char *text, const char *end, uint64_t now)
{
	uint64_t stamp = 0;
	if (!counting || end - text <= STAMP_DIGITS || *text != '@')
		return;
	for (int i = 1; i <= STAMP_DIGITS; i++) {
		int digit = hex_value(text[i]);
		if (digit < 0)
			return;
		stamp = stamp << 4 | (uint64_t)digit;
	}
	if (stamp <= now)
		note(&seen.age, now - stamp);
}

static void take_line(struct conn *conn, const char *line, size_t n, uint64_t now)
{
	if (n < 5 || memcmp(line, "data:", 5) != 0)
		return;
	const char *text = value_of(options.chat ? "\"content\"" : "\"text\"", line, n);
	if (text == NULL)
		text = value_of("\"data\"", line, n);
	const char *end = text ? memchr(text, '"', (size_t)(line + n - text)) : NULL;
	if (end == NULL)
		return;
	if (conn->events++ == 0 && counting)
		note(&seen.first_event, now - conn->began);
	conn->text += (uint64_t)(end - text);
	seen.events += counting;
	note_age(text, end, now);
}

static void keep(struct conn *conn, const char *bytes, size_t n)
{
	if (conn->line_length + n > conn->line_room) {
		conn->line_room = 2 * (conn->line_length + n);
		conn->line = must(realloc(conn->line, conn->line_room));
	}
	memcpy(conn->line + conn->line_length, bytes, n);
	conn->line_length += n;
}

static void take_lines(struct conn *conn, const char *piece, size_t n, uint64_t now)
{
	const char *end = piece + n, *newline;
	while ((newline = memchr(piece, '\n', (size_t)(end - piece))) != NULL) {
		if (conn->line_length > 0) {
			keep(conn, piece, (size_t)(newline - piece));
			take_line(conn, conn->line, conn->line_length, now);
			conn->line_length = 0;
		} else {
			take_line(conn, piece, (size_t)(newline - piece), now);
		}
		piece = newline + 1;
	}
	if (piece < end)
		keep(conn, piece, (size_t)(end - piece));
}

/* The text that a complete answer has. */
static uint64_t whole_text(void)
{
	uint64_t written = options.events - (options.big_bytes > 0);
	return written * TEXT_LENGTH + options.big_bytes;
}

static bool is_good(const struct conn *conn)
{
	if (conn->status != 200)
		return false;
	if (options.events == 0)
		return options.answer_bytes == 0 || conn->body_bytes == options.answer_bytes;
	return conn->events == options.events && conn->text == whole_text();
}

static void close_connection(struct conn *conn)
{
	close(conn->fd);
	conn->fd = -1;
}

/* The answer is over, well or not: count it, and go on as the options say. */
static void finish(struct conn *conn, bool whole, uint64_t now)
{
	if (whole && is_good(conn))
		seen.good++;
	else
		seen.bad++;
	if (whole && counting) {
		seen.answers++;
		note(&seen.whole, now - conn->began);
	}
	conn->used = true;
	if (options.once) {
		close_connection(conn);
		finished++;
	} else if (whole && !conn->closes) {
		ask(conn);
	} else {
		close_connection(conn);
		open_connection(conn);
	}
}

static void take_body(struct conn *conn, const char *in, const char *end, uint64_t now)
{
	const char *piece;
	size_t n;
	while ((n = next_piece(&conn->body, &in, end, &piece)) > 0) {
		conn->body_bytes += n;
		seen.bytes += counting ? n : 0;
		if (options.events > 0)
			take_lines(conn, piece, n, now);
	}
	if (conn->body.over)
		finish(conn, true, now);
}

static void take_head(struct conn *conn, const char *in, size_t n, uint64_t now)
{
	size_t old = conn->head_length;
	size_t room = sizeof conn->head - old;
	size_t taken = n < room ? n : room;
	memcpy(conn->head + old, in, taken);
	conn->head_length += taken;
	const char *blank = memmem(conn->head, conn->head_length, "\r\n\r\n", 4);
	if (blank == NULL) {
		if (taken == room)
			finish(conn, false, now);
		return;
	}
	size_t length = (size_t)(blank + 4 - conn->head);
	const char *connection = header(conn->head, length, "Connection");
	conn->status = atoi(conn->head + strlen("HTTP/1.1 "));
	conn->body = body_of(conn->head, length, true);
	conn->closes = connection != NULL && strncasecmp(connection, "close", 5) == 0;
	conn->in_body = true;
	take_body(conn, in + (length - old), in + n, now);
}

/* A connection that carried an answer before may be closed before the next; then ask anew. */
static void take_end(struct conn *conn, uint64_t now)
{
	if (conn->in_body && conn->body.framing == TO_THE_END) {
		conn->closes = true;
		finish(conn, true, now);
	} else if (conn->used && conn->head_length == 0) {
		seen.reopened++;
		close_connection(conn);
		open_connection(conn);
	} else {
		finish(conn, false, now);
	}
}

static void handle(struct conn *conn, uint32_t events)
{
	static char input[READ_BYTES];
	if (events & EPOLLOUT)
		send_rest(conn);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = recv(conn->fd, input, sizeof input, 0);
	uint64_t now = now_ns();
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		take_end(conn, now);
	else if (conn->in_body)
		take_body(conn, input, input + n, now);
	else
		take_head(conn, input, (size_t)n, now);
}

/* ---- the run ---- */

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* Return the next moment at which something is to be done. */
static uint64_t next_moment(uint64_t start, uint64_t begin, uint64_t end, uint64_t now)
{
	uint64_t next = now < begin ? begin : now < end ? end : end + options.patience;
	uint64_t opening = start + options.ramp * opened / options.connections;
	return opened < options.connections && opening < next ? opening : next;
}

static void run(void)
{
	struct epoll_event events[EPOLL_EVENTS];
	uint64_t start = now_ns(), begin = start + options.warmup, end = begin + options.window;
	bool ended = false;
	for (uint64_t now = start;; now = now_ns()) {
		if (!counting && !ended && now >= begin) {
			counting = true;
			begin = now;
			end = begin + options.window;
			say("begin");
		}
		if (counting && now >= end) {
			counting = false;
			ended = true;
			options.window = now - begin;
			say("end");
		}
		bool complete = !options.once || finished == options.connections;
		if (ended && (complete || now >= end + options.patience))
			return;
		while (opened < options.connections &&
		       now >= start + options.ramp * opened / options.connections)
			open_connection(&conns[opened++]);
		struct timespec pause = until(next_moment(start, begin, end, now), now);
		int n = epoll_pwait2(poller, events, EPOLL_EVENTS, &pause, NULL);
		for (int i = 0; i < n; i++)
			handle(events[i].data.ptr, events[i].events);
	}
}

static void report(void)
{
	printf("{");
	print_histogram("age", &seen.age);
	print_histogram("first_event", &seen.first_event);
	print_histogram("whole", &seen.whole);
	uint64_t unfinished = options.once ? options.connections - finished : 0;
	printf("\"seconds\": %.6f, \"events\": %llu, \"answers\": %llu, \"bytes\": %llu, "
	       "\"good\": %llu, \"bad\": %llu, \"reopened\": %llu, \"unfinished\": %llu}\n",
	       (double)options.window / 1e9, (unsigned long long)seen.events,
	       (unsigned long long)seen.answers, (unsigned long long)seen.bytes,
	       (unsigned long long)seen.good, (unsigned long long)seen.bad,
	       (unsigned long long)seen.reopened, (unsigned long long)unfinished);
}

static void add_header(const char *line)
{
	size_t used = strlen(options.headers);
	int n = snprintf(options.headers + used, sizeof options.headers - used, "%s\r\n", line);
	if (n < 0 || (size_t)n >= sizeof options.headers - used) {
		fprintf(stderr, "too many headers\n");
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	enum {
		PORT, TARGET, CONNECTIONS, EVENTS, BIG, ANSWER, BODY, HEADER, WARMUP, WINDOW, RAMP,
		ONCE, PATIENCE, CHAT
	};
	static const struct option known[] = {
		{ "port", required_argument, NULL, PORT },
		{ "target", required_argument, NULL, TARGET },
		{ "connections", required_argument, NULL, CONNECTIONS },
		{ "events", required_argument, NULL, EVENTS },
		{ "big-bytes", required_argument, NULL, BIG },
		{ "answer-bytes", required_argument, NULL, ANSWER },
		{ "body-bytes", required_argument, NULL, BODY },
		{ "header", required_argument, NULL, HEADER },
		{ "warmup-us", required_argument, NULL, WARMUP },
		{ "window-us", required_argument, NULL, WINDOW },
		{ "ramp-us", required_argument, NULL, RAMP },
		{ "once", no_argument, NULL, ONCE },
		{ "chat", no_argument, NULL, CHAT },
		{ "patience-us", required_argument, NULL, PATIENCE },
		{ 0 },
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (option) {
		case PORT: options.port = (uint16_t)value; break;
		case TARGET: options.target = optarg; break;
		case CONNECTIONS: options.connections = (unsigned)value; break;
		case EVENTS: options.events = (unsigned)value; break;
		case BIG: options.big_bytes = value; break;
		case ANSWER: options.answer_bytes = value; break;
		case BODY: options.body_bytes = value; break;
		case HEADER: add_header(optarg); break;
		case WARMUP: options.warmup = value * 1000; break;
		case WINDOW: options.window = value * 1000; break;
		case RAMP: options.ramp = value * 1000; break;
		case ONCE: options.once = true; break;
		case CHAT: options.chat = true; break;
		case PATIENCE: options.patience = value * 1000; break;
		default: exit(2);
		}
	}
	if (options.port == 0 || options.connections == 0) {
		fprintf(stderr, "there must be a port and connections\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	die_with_parent();
	parse(argc, argv);
	make_request();
	conns = must(calloc(options.connections, sizeof *conns));
	poller = epoll_create1(EPOLL_CLOEXEC);
	run();
	report();
	return 0;
}
