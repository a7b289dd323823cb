/* A Gemini that is never the bottleneck: one process, one thread, no allocation per event.
 *
 *     upstream [--events N] [--write-bytes N] [--pace-us N] [--cut-at N] [--big-bytes N]
 *              [--unary-bytes N] [--port N]
 *
 * It prints "listening PORT". A target with ":streamGenerateContent" gets N events of 330
 * bytes, any other a JSON body. Every event is a chunk of the chunked coding. The head goes with
 * the first and the end of the coding with the last, so that nothing but events wakes the proxy.
 *
 *     --write-bytes  events are gathered into writes of up to so many bytes; without it every
 *                    event is a write
 *     --pace-us      time between two events of a stream; without it they come at full speed
 *     --cut-at       a stream ends politely after so many events, without finishReason. A body
 *                    with a second model turn gets the rest, in plain continuation.
 *     --big-bytes    the first event carries an inline image of this size
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
	READ_BYTES = 1 << 16,
	FRONT = 512,		   /* room for what stands before an image or a JSON text */
	WRITE_BYTES = 1 << 16,	   /* the most that --write-bytes gathers */
	BACK = 1024,		   /* room for the head, the longest event and the last chunk */
	CHUNK_BYTES = EVENT_LENGTH + 7, /* an event in the chunked coding */
	ASKED_BYTES = 1 << 20,	   /* a body with more is not looked at */
	EPOLL_EVENTS = 512,
};

static struct {
	unsigned events, cut_at;
	size_t write_bytes, big_bytes, unary_bytes;
	uint64_t pace;
	uint16_t port;
} options = { .events = 200, .unary_bytes = 2048 };

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\n"
				  "Content-Type: text/event-stream\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n";
static const char LAST_CHUNK[] = "0\r\n\r\n";

/* ---- what is answered ---- */

/* Events, in the chunked coding, are made from a template whose text is written over. */
struct template {
	char bytes[512];
	size_t length, text; /* of the whole, and where its text begins */
};
static struct template ordinary, final;
static char *big, *unary; /* the whole event, the whole answer */
static size_t big_length, unary_length;

static const char PROSE[] = "For eleven years Ada kept the lamp, slept in the room below it, "
			    "ate on the stairs and learned to tell the ships by their sound. ";
enum { PROSE_IN_EVENT = TEXT_LENGTH - STAMP_DIGITS - NUMBER_DIGITS - 3 };

static void make_template(struct template *made, const char *finish)
{
	char text[TEXT_LENGTH + 1];
	memset(text, '*', TEXT_LENGTH);
	text[TEXT_LENGTH] = 0;
	char event[sizeof made->bytes];
	int length = snprintf(
	    event, sizeof event,
	    "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"%s\"}],"
	    "\"role\": \"model\"}%s}],\"usageMetadata\": {\"promptTokenCount\": 12,"
	    "\"candidatesTokenCount\": 16,\"totalTokenCount\": 28,\"promptTokensDetails\": "
	    "[{\"modality\": \"TEXT\"}]},\"modelVersion\": \"gemini-2.5-flash\","
	    "\"responseId\": \"bJ8AafGpD7uZ\"}\r\n\r\n",
	    text, finish);
	int chunk = snprintf(made->bytes, sizeof made->bytes, "%x\r\n%s\r\n", length, event);
	made->length = (size_t)chunk;
	made->text = (size_t)(strchr(made->bytes, '*') - made->bytes);
}

static size_t write_event(char *to, unsigned index, uint64_t now)
{
	const struct template *from = index + 1 == options.events ? &final : &ordinary;
	memcpy(to, from->bytes, from->length);
	char *text = to + from->text;
	*text++ = '@';
	write_hex(text, now, STAMP_DIGITS);
	text[STAMP_DIGITS] = ' ';
	text += STAMP_DIGITS + 1;
	write_hex(text, index, NUMBER_DIGITS);
	text[NUMBER_DIGITS] = ' ';
	text += NUMBER_DIGITS + 1;
	/* Other words in each event: text that repeats itself is a case of its own for whoever
	 * has to find where a resumed answer joins. */
	memcpy(text, PROSE + index * 7 % (sizeof PROSE - PROSE_IN_EVENT), PROSE_IN_EVENT);
	return from->length;
}

static void make_big(void)
{
	static const char OPEN[] = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"inlineData\": "
				   "{\"mimeType\": \"image/png\",\"data\": \"";
	static const char CLOSE[] = "\"}}],\"role\": \"model\"}}]}\r\n\r\n";
	size_t event = sizeof OPEN + sizeof CLOSE - 2 + options.big_bytes;
	big = must(malloc(event + FRONT));
	int head = snprintf(big, FRONT, "%s%zx\r\n%s", STREAM_HEAD, event, OPEN);
	memset(big + head, 'A', options.big_bytes);
	int tail = sprintf(big + (size_t)head + options.big_bytes, "%s\r\n", CLOSE);
	big_length = (size_t)head + options.big_bytes + (size_t)tail;
}

static void make_unary(void)
{
	static const char OPEN[] = "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"";
	static const char CLOSE[] =
	    "\"}],\"role\": \"model\"},\"finishReason\": \"STOP\"}],\"usageMetadata\": "
	    "{\"promptTokenCount\": 12,\"candidatesTokenCount\": 480,\"totalTokenCount\": 492}}";
	size_t around = sizeof OPEN + sizeof CLOSE - 2;
	size_t text = options.unary_bytes > around ? options.unary_bytes - around : 0;
	unary = must(malloc(around + text + FRONT));
	int head = snprintf(unary, FRONT,
			    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
			    "Content-Length: %zu\r\n\r\n%s",
			    around + text, OPEN);
	memset(unary + head, 'a', text);
	int tail = sprintf(unary + (size_t)head + text, "%s", CLOSE);
	unary_length = (size_t)head + text + (size_t)tail;
}

/* ---- connections ---- */

struct conn {
	int fd;
	struct conn *next;	/* in the queue that it is in */
	bool queued, gone, blocked;
	enum { HEAD, BODY, ANSWERING } state;

	char head[READ_BYTES];
	size_t head_length;
	struct body body;
	char *asked;		/* the body, where it decides what is answered */
	size_t asked_length;

	unsigned event, end;	/* the next event of the stream, and the one it stops before */
	bool opened;		/* the head is out */
	uint64_t due;
	const char *rest;	/* what the socket did not take yet */
	size_t rest_length;
	char *spill;		/* where rest points, unless it is `big` or `unary` */
};

struct queue {
	struct conn *first, *last;
	unsigned length;
};
static struct queue ready;
/* In the order of their times: all streams have one pace. */
static struct queue waiting;

static void push(struct queue *queue, struct conn *conn)
{
	conn->next = NULL;
	conn->queued = true;
	if (queue->first == NULL)
		queue->first = conn;
	else
		queue->last->next = conn;
	queue->last = conn;
	queue->length++;
}

static struct conn *pop(struct queue *queue)
{
	struct conn *conn = queue->first;
	queue->first = conn->next;
	conn->queued = false;
	queue->length--;
	return conn;
}

/* A connection in a queue is only marked, and released when its turn comes. */
static void drop(struct conn *conn)
{
	if (!conn->gone)
		close(conn->fd);
	conn->gone = true;
	if (conn->queued)
		return;
	free(conn->asked);
	free(conn->spill);
	free(conn);
}

/* ---- answering ---- */

static char scratch[WRITE_BYTES + BACK];

/* Put the next write of a stream together in scratch; return its length. */
static size_t gather(struct conn *conn)
{
	char *end = scratch;
	uint64_t now = now_ns();
	if (!conn->opened)
		end = mempcpy(end, STREAM_HEAD, sizeof STREAM_HEAD - 1);
	conn->opened = true;
	do
		end += write_event(end, conn->event++, now);
	while (conn->event < conn->end && !options.pace &&
	       (size_t)(end - scratch) + CHUNK_BYTES <= options.write_bytes);
	if (conn->event == conn->end)
		end = mempcpy(end, LAST_CHUNK, sizeof LAST_CHUNK - 1);
	return (size_t)(end - scratch);
}

/* Write, and remember what the socket does not take: bytes that are not lasting are copied.
 * Return false when the connection is gone. */
static bool send_some(struct conn *conn, const char *bytes, size_t n, bool lasting)
{
	ssize_t sent = send(conn->fd, bytes, n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return false;
	sent = sent < 0 ? 0 : sent;
	conn->rest = bytes + sent;
	conn->rest_length = n - (size_t)sent;
	conn->blocked = conn->rest_length > 0;
	if (!conn->blocked || lasting)
		return true;
	if (conn->spill == NULL)
		conn->spill = must(malloc(sizeof scratch));
	conn->rest = memcpy(conn->spill, conn->rest, conn->rest_length);
	return true;
}

static bool send_next(struct conn *conn)
{
	if (conn->rest_length > 0)
		return send_some(conn, conn->rest, conn->rest_length, true);
	if (conn->event == 0 && options.big_bytes > 0) {
		conn->event++;
		conn->opened = true;
		return send_some(conn, big, big_length, true);
	}
	size_t n = gather(conn);
	return send_some(conn, scratch, n, false);
}

/* Make one write and decide when the next is due. */
static void answer(struct conn *conn)
{
	if (!send_next(conn)) {
		drop(conn);
		return;
	}
	if (conn->blocked)
		return; /* the socket will say when it takes more */
	if (conn->event == conn->end) {
		conn->state = HEAD;
		conn->head_length = 0;
	} else if (options.pace) {
		conn->due += options.pace;
		push(&waiting, conn);
	} else {
		push(&ready, conn);
	}
}

static unsigned count(const char *in, size_t n, const char *what)
{
	unsigned found = 0;
	const char *at, *end = in + n;
	while ((at = memmem(in, (size_t)(end - in), what, strlen(what))) != NULL) {
		found++;
		in = at + 1;
	}
	return found;
}

static bool continues(const struct conn *conn)
{
	return count(conn->asked, conn->asked_length, "\"role\":\"model\"") > 1;
}

static void begin_answer(struct conn *conn)
{
	conn->state = ANSWERING;
	conn->opened = false;
	conn->event = 0;
	conn->end = options.events;
	conn->due = now_ns();
	if (memmem(conn->head, conn->head_length, ":streamGenerateContent", 22) == NULL) {
		conn->event = conn->end;
		conn->rest = unary;
		conn->rest_length = unary_length;
	} else if (options.cut_at > 0) {
		if (continues(conn))
			conn->event = options.cut_at;
		else
			conn->end = options.cut_at;
	}
	conn->asked_length = 0;
	push(&ready, conn);
}

/* ---- requests ---- */

static void keep(struct conn *conn, const char *piece, size_t n)
{
	if (options.cut_at == 0 || conn->asked_length + n > ASKED_BYTES)
		return;
	if (conn->asked == NULL)
		conn->asked = must(malloc(ASKED_BYTES));
	memcpy(conn->asked + conn->asked_length, piece, n);
	conn->asked_length += n;
}

static void take_body(struct conn *conn, const char *in, const char *end)
{
	const char *piece;
	size_t n;
	while ((n = next_piece(&conn->body, &in, end, &piece)) > 0)
		keep(conn, piece, n);
	if (conn->body.over)
		begin_answer(conn); /* requests are not pipelined: nothing is left in the input */
}

/* Take input, and answer when the request is complete. Return false when it is no request. */
static bool take_input(struct conn *conn, const char *in, size_t n)
{
	static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (conn->state == BODY) {
		take_body(conn, in, in + n);
		return true;
	}
	if (conn->state == ANSWERING || conn->head_length + n > sizeof conn->head)
		return false;
	memcpy(conn->head + conn->head_length, in, n);
	size_t length = conn->head_length + n;
	const char *blank = memmem(conn->head, length, "\r\n\r\n", 4);
	conn->head_length = length;
	if (blank == NULL)
		return true;
	conn->head_length = (size_t)(blank + 4 - conn->head);
	conn->body = body_of(conn->head, conn->head_length, false);
	conn->state = BODY;
	if (header(conn->head, conn->head_length, "Expect") != NULL &&
	    send(conn->fd, CONTINUE, sizeof CONTINUE - 1, MSG_NOSIGNAL) < 0)
		return false;
	take_body(conn, conn->head + conn->head_length, conn->head + length);
	return true;
}

/* Read until the socket is empty: epoll tells only of changes. */
static bool receive(struct conn *conn)
{
	static char input[READ_BYTES];
	for (;;) {
		ssize_t n = recv(conn->fd, input, sizeof input, 0);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0 || !take_input(conn, input, (size_t)n))
			return false;
	}
}

static int poller, listener;

static void accept_all(void)
{
	int fd, on = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *conn = must(calloc(1, sizeof *conn));
		conn->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
					     .data.ptr = conn };
		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
			fail("epoll_ctl");
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		fail("accept");
}

static void handle(struct conn *conn, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		drop(conn);
		return;
	}
	if (events & EPOLLOUT && conn->blocked && !conn->queued) {
		conn->blocked = false;
		conn->due = now_ns(); /* a client that was slow does not get a burst */
		push(&ready, conn);
	}
	if (events & EPOLLIN && !receive(conn))
		drop(conn);
}

static void listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t length = sizeof address;
	int on = 1;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 8192) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		fail("listen");
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0)
		fail("epoll_ctl");
	printf("listening %u\n", ntohs(address.sin_port));
	fflush(stdout);
}

static void serve(void)
{
	struct epoll_event events[EPOLL_EVENTS];
	for (;;) {
		uint64_t now = now_ns();
		uint64_t next = ready.length || !waiting.length ? now : waiting.first->due;
		struct timespec pause = until(next, now);
		bool idle = !ready.length && !waiting.length;
		int n = epoll_pwait2(poller, events, EPOLL_EVENTS, idle ? NULL : &pause, NULL);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_all();
			else
				handle(events[i].data.ptr, events[i].events);
		}
		now = now_ns();
		while (waiting.length > 0 && waiting.first->due <= now)
			push(&ready, pop(&waiting));
		/* One write for each stream that can take one, then look at the sockets again. */
		for (unsigned turns = ready.length; turns > 0; turns--) {
			struct conn *conn = pop(&ready);
			if (conn->gone)
				drop(conn);
			else
				answer(conn);
		}
	}
}

static void parse(int argc, char **argv)
{
	enum { EVENTS, WRITE, PACE, CUT, BIG, UNARY, PORT };
	static const struct option known[] = {
		{ "events", required_argument, NULL, EVENTS },
		{ "write-bytes", required_argument, NULL, WRITE },
		{ "pace-us", required_argument, NULL, PACE },
		{ "cut-at", required_argument, NULL, CUT },
		{ "big-bytes", required_argument, NULL, BIG },
		{ "unary-bytes", required_argument, NULL, UNARY },
		{ "port", required_argument, NULL, PORT },
		{ 0 },
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 10) : 0;
		switch (option) {
		case EVENTS: options.events = (unsigned)value; break;
		case WRITE: options.write_bytes = value < WRITE_BYTES ? value : WRITE_BYTES; break;
		case PACE: options.pace = value * 1000; break;
		case CUT: options.cut_at = (unsigned)value; break;
		case BIG: options.big_bytes = value; break;
		case UNARY: options.unary_bytes = value; break;
		case PORT: options.port = (uint16_t)value; break;
		default: exit(2);
		}
	}
	if (options.events < 1 || options.cut_at >= options.events) {
		fprintf(stderr, "there must be events, and some of them behind --cut-at\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	die_with_parent();
	parse(argc, argv);
	make_template(&ordinary, "");
	make_template(&final, ",\"finishReason\": \"STOP\"");
	make_big();
	make_unary();
	if (ordinary.length != CHUNK_BYTES) {
		fprintf(stderr, "an event has %zu bytes, not %d\n", ordinary.length, CHUNK_BYTES);
		return 1;
	}
	poller = epoll_create1(EPOLL_CLOEXEC);
	listen_on(options.port);
	serve();
}
