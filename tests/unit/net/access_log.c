#include "net/access_log.h"

#include "tests/unit/check.h"

#include "http/code.h"
#include "http/exchange.h"
#include "http/handler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/access.XXXXXX";
static char path[64], moved[64];
static struct access_log *a;

/* Exchanges that a handler never sees. */

static void ignore(struct exchange *x)
{
    (void)x;
}

static void ignore_consumed(struct exchange *x, size_t n)
{
    (void)x, (void)n;
}

static bool on_start(struct handler *h, struct exchange *x)
{
    (void)h, (void)x;
    return true;
}

static const struct exchange_host host = {ignore, ignore_consumed, ignore, NULL};
static const struct handler_ops ops = {.start = on_start};
static struct handler handler = {.ops = &ops};
static struct peer peer = {.conn = 7};
static struct exchange exchange;

static struct exchange *begin(struct str target)
{
    struct exchange *x = &exchange;
    snprintf(peer.remote, sizeof peer.remote, "127.0.0.1:1");
    peer.observers = access_log_observer(a);
    exchange_init(x, &host, &peer, &handler, 1000);
    x->stream = 3;
    x->request.version = HTTP_2;
    x->request.method = STR("GET");
    x->request.ended = true;
    request_set_target(&x->request, target);
    return x;
}

/* One whose response, with a body of n bytes, has gone out. */
static void answer(struct str target, size_t n)
{
    static const char body[1000];
    size_t taken_bytes;
    struct exchange *x = begin(target);
    exchange_start(x);
    assert_int_equal(exchange_write(x, body, n, &taken_bytes), RC_OK);
    bytes_drop(&x->response.out.body, n);
    x->response.out.head_handed = true;
    x->response.out.state = OUTGOING_SENT;
    exchange_fini(x);
}

/* Files. */

static void open_log(enum access_log_format format)
{
    char why[ACCESS_LOG_WHY];
    unlink(path);
    assert_int_equal(access_log_open(path, format, geteuid(), &a, why), RC_OK);
}

static const char *content_of(const char *file)
{
    static char text[1 << 20];
    FILE *f = fopen(file, "rb");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* The log's only line, without the time and the duration, which are no constants. */
static const char *only_line(void)
{
    static char line[1 << 16];
    access_log_close(a);
    snprintf(line, sizeof line, "%s", content_of(path));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    line[strlen(line) - 1] = '\0';
    return line;
}

static void assert_has(const char *line, const char *part)
{
    if (!strstr(line, part))
        fail_msg("%s\nis not in\n%s", part, line);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* Lines. */

static void Combined_Answered_EachFieldInItsPlace(void **state)
{
    (void)state;
    char rest[128], time[32];
    unsigned micro;
    open_log(ACCESS_LOG_COMBINED);
    answer(STR("/a?b=c"), 12);
    const char *line = only_line();
    assert_int_equal(sscanf(line,
                         "127.0.0.1 - - [%31[^]]] \"GET /a?b=c HTTP/2\" 200 12 \"-\" \"-\" "
                         "duration=0.%6u %127[^\n]",
                         time, &micro, rest),
        3);
    assert_int_equal(strlen(time), strlen("06/Nov/1994:08:49:37 +0000"));
    assert_string_equal(rest, "conn=7 stream=3");
}

static void Json_Answered_EachField(void **state)
{
    (void)state;
    char rest[128], time[32];
    unsigned micro;
    open_log(ACCESS_LOG_JSON);
    answer(STR("/a"), 0);
    const char *line = only_line();
    assert_int_equal(
        sscanf(line,
            "{\"time\":\"%31[^\"]\",\"remote\":\"127.0.0.1:1\",\"method\":\"GET\",\"target\":"
            "\"/a\",\"protocol\":\"HTTP/2\",\"status\":200,\"bytes\":0,\"referer\":null,"
            "\"user_agent\":null,\"duration\":0.%6u,%127[^\n]",
            time, &micro, rest),
        3);
    assert_int_equal(strlen(time), strlen("2026-01-31T12:00:00.000Z"));
    assert_string_equal(rest, "\"conn\":7,\"stream\":3}");
}

static void Remote_OfIpv6_WithoutBrackets(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    snprintf(peer.remote, sizeof peer.remote, "[::1]:443");
    exchange_start(x);
    exchange_fini(x);
    assert_true(str_starts(str_of(only_line()), STR("::1 - - [")));
}

static const char hostile[] = "/\"\\\n\x01\x7f\xc3\xa4\xff";

static void Combined_Hostile_Escaped(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    answer(str_of(hostile), 0);
    assert_has(only_line(), "\"GET /\\x22\\x5C\\x0A\\x01\\x7F\\xC3\\xA4\\xFF HTTP/2\" 200");
}

static void Json_Hostile_Escaped(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_JSON);
    answer(str_of(hostile), 0);
    assert_has(only_line(), "\"target\":\"/\\\"\\\\\\n\\u0001\\u007f\xc3\xa4\\u00ff\"");
}

/* The longest line that a peer can cause fits, in both formats. */
static void Hostile_AsLongAsCanBe_IsCut(void **state)
{
    (void)state;
    static char target[20000];
    memset(target, 1, sizeof target);
    target[0] = '/';
    target[5000] = '?';
    for (int format = ACCESS_LOG_COMBINED; format <= ACCESS_LOG_JSON; format++) {
        open_log((enum access_log_format)format);
        struct exchange *x = begin((struct str){target, sizeof target});
        struct str value = {target, sizeof target};
        assert_int_equal(fields_add(&x->request.fields, &x->arena, STR("referer"), value), RC_OK);
        assert_int_equal(
            fields_add(&x->request.fields, &x->arena, STR("user-agent"), value), RC_OK);
        x->request.method = value;
        exchange_start(x);
        exchange_fini(x);
        const char *line = only_line();
        assert_has(line, format == ACCESS_LOG_JSON ? "\"stream\":3}" : "conn=7 stream=3");
    }
}

/* Ends. */

static void Aborted_BeforeTheHead_NoStatus(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    exchange_start(x);
    exchange_abort(x, cut_of(CUT_LOST));
    exchange_abort(x, cut_of(CUT_SHUTDOWN));
    exchange_fini(x);
    assert_has(only_line(), "HTTP/2\" - 0 ");
    assert_has(content_of(path), " reset=\"connection lost\"\n");
}

static void Aborted_Midway_CountsWhatWentOut(void **state)
{
    (void)state;
    size_t n;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    exchange_start(x);
    assert_int_equal(exchange_write(x, "0123456789", 10, &n), RC_OK);
    bytes_drop(&x->response.out.body, 4);
    x->response.out.head_handed = true;
    exchange_abort(x, cut_by_peer(ERROR_CANCEL));
    exchange_fini(x);
    assert_has(only_line(), "HTTP/2\" 200 4 ");
    assert_has(content_of(path), " reset=\"CANCEL\"\n");
}

static void Aborted_AfterItsEnd_WasNotCut(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    exchange_start(x);
    x->response.out.head_handed = true;
    x->response.out.state = OUTGOING_SENT;
    exchange_abort(x, cut_of(CUT_LOST));
    exchange_fini(x);
    assert_null(strstr(only_line(), "reset"));
}

static void Reset_ByUs_TheCodesName(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_JSON);
    struct exchange *x = begin(STR("/"));
    exchange_start(x);
    exchange_reset(x, ERROR_ENHANCE_YOUR_CALM);
    exchange_abort(x, cut_by_peer(ERROR_ENHANCE_YOUR_CALM));
    exchange_fini(x);
    assert_has(only_line(), "\"status\":null,\"bytes\":0,");
    assert_has(content_of(path), "\"stream\":3,\"reset\":\"ENHANCE_YOUR_CALM\"}");
}

static void Refused_BeforeAHandler_Logged(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    x->request.method.n = 0;
    exchange_respond(x, 431, STR("too large"), NULL);
    x->response.out.head_handed = true;
    exchange_fini(x);
    assert_has(only_line(), "\"- / HTTP/2\" 431 0 ");
}

static void NeverBegun_NotLogged(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    exchange_abort(x, cut_of(CUT_LOST));
    exchange_fini(x);
    access_log_close(a);
    assert_string_equal(content_of(path), "");
}

static void GrpcStatus_OfTrailersOrHead_Logged(void **state)
{
    (void)state;
    for (int in_head = 0; in_head < 2; in_head++) {
        open_log(ACCESS_LOG_COMBINED);
        struct exchange *x = begin(STR("/"));
        exchange_start(x);
        struct response *r = &x->response;
        assert_int_equal(in_head ? outgoing_set_header(&r->out, STR("grpc-status"), STR("12"))
                                 : outgoing_append_trailer(&r->out, STR("grpc-status"), STR("12")),
            RC_OK);
        r->out.head_handed = true;
        r->out.state = OUTGOING_SENT;
        x->request.ended = false;
        exchange_abort(x, cut_by_peer(ERROR_NO_ERROR)); /* the early end of a call */
        exchange_fini(x);
        assert_has(only_line(), " reset=\"NO_ERROR\" grpc-status=\"12\"");
    }
}

static void GrpcStatus_NeverSent_NotLogged(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    struct exchange *x = begin(STR("/"));
    exchange_start(x);
    assert_int_equal(
        outgoing_append_trailer(&x->response.out, STR("grpc-status"), STR("0")), RC_OK);
    exchange_abort(x, cut_by_peer(ERROR_CANCEL));
    exchange_fini(x);
    assert_null(strstr(only_line(), "grpc-status"));
}

/* Writing. */

static void Lines_Many_AllWritten(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    for (int i = 0; i < 5000; i++)
        answer(STR("/many"), 1);
    assert_true(count_lines(content_of(path)) < 5000);
    access_log_flush(a);
    assert_int_equal(count_lines(content_of(path)), 5000);
    access_log_close(a);
}

static void Flush_AfterAnother_Appends(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    FILE *other = fopen(path, "ab");
    answer(STR("/one"), 1);
    access_log_flush(a);
    fputs("other\n", other);
    fclose(other);
    answer(STR("/two"), 1);
    access_log_close(a);
    const char *text = content_of(path);
    assert_true(strstr(text, "/one") < strstr(text, "\nother\n"));
    assert_true(strstr(text, "\nother\n") < strstr(text, "/two"));
}

static void Open_NoSuchFolder_Named(void **state)
{
    (void)state;
    char why[ACCESS_LOG_WHY];
    assert_int_equal(
        access_log_open("/nowhere/at/all", ACCESS_LOG_COMBINED, geteuid(), &a, why), RC_SYSTEM);
    assert_string_equal(
        why, "the access log \"/nowhere/at/all\" cannot be opened: No such file or directory");
    mem_fail_at(1, 0);
    assert_int_equal(access_log_open(path, ACCESS_LOG_COMBINED, geteuid(), &a, why), RC_NOMEM);
}

static void Reopen_AfterRename_WritesANewFile(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    answer(STR("/one"), 1);
    assert_int_equal(rename(path, moved), 0);
    access_log_reopen(a);
    answer(STR("/two"), 1);
    access_log_close(a);
    assert_int_equal(count_lines(content_of(moved)), 1);
    assert_has(content_of(moved), "/one");
    assert_int_equal(count_lines(content_of(path)), 1);
    assert_has(content_of(path), "/two");
}

static void Reopen_Impossible_TheOldStays(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    access_log_reopen(a);
    assert_int_equal(rmdir(path), 0);
    answer(STR("/one"), 1);
    access_log_close(a);
    assert_has(content_of(moved), "/one");
}

/* No file of the process may grow past n bytes: what a full disk does. */
static void limit_size(rlim_t n)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Each line of the text begins and ends as it should. */
static void assert_whole_lines(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        assert_true(str_starts(str_of(text), STR("127.0.0.1 - - [")));
        assert_true(str_starts(str_of(end - 8), STR("stream=3")));
        text = end + 1;
    }
}

static void FullDisk_LinesDropped_ThenWholeAgain(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    signal(SIGXFSZ, SIG_IGN);
    limit_size(250); /* the third line is torn */
    for (int i = 0; i < 10; i++)
        answer(STR("/before"), 1);
    access_log_flush(a);
    answer(STR("/during"), 1);
    access_log_flush(a);
    limit_size(RLIM_INFINITY);
    answer(STR("/after"), 1);
    access_log_close(a);
    const char *text = content_of(path);
    assert_whole_lines(text);
    assert_has(text, "/before");
    assert_null(strstr(text, "/during"));
    assert_has(text, "/after");
    assert_true(count_lines(text) < 10);
}

static void FullDisk_Reopened_NoHalfLineInTheNewFile(void **state)
{
    (void)state;
    open_log(ACCESS_LOG_COMBINED);
    signal(SIGXFSZ, SIG_IGN);
    limit_size(250);
    for (int i = 0; i < 10; i++)
        answer(STR("/before"), 1);
    access_log_flush(a);
    assert_int_equal(rename(path, moved), 0);
    access_log_reopen(a);
    limit_size(RLIM_INFINITY);
    answer(STR("/after"), 1);
    access_log_close(a);
    assert_whole_lines(content_of(path));
    assert_int_equal(count_lines(content_of(path)), 1);
}

/* Pipes. */

/* A named pipe at path, of the least size, with a reader. */
static int open_pipe(void)
{
    char why[ACCESS_LOG_WHY];
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(access_log_open(path, ACCESS_LOG_COMBINED, geteuid(), &a, why), RC_SYSTEM);
    assert_has(why, strerror(ENXIO));
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fcntl(reader, F_SETPIPE_SZ, 8192) >= 8192);
    assert_int_equal(access_log_open(path, ACCESS_LOG_COMBINED, geteuid(), &a, why), RC_OK);
    return reader;
}

static size_t read_pipe(int reader, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;
    while ((n = read(reader, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return count_lines(text);
}

static void Pipe_Full_LinesWait(void **state)
{
    (void)state;
    static char text[1 << 20];
    int reader = open_pipe();
    size_t got = 0;
    for (int i = 0; i < 200; i++)
        answer(STR("/pipe"), 1);
    for (int rounds = 0; rounds < 20; rounds++) {
        access_log_flush(a);
        got += read_pipe(reader, text, sizeof text);
        assert_whole_lines(text);
    }
    assert_int_equal(got, 200);
    access_log_close(a);
    close(reader);
}

static void Pipe_NobodyReads_LinesDropped(void **state)
{
    (void)state;
    static char text[1 << 20];
    int reader = open_pipe();
    for (int i = 0; i < 5000; i++)
        answer(STR("/pipe"), 1);
    access_log_flush(a);
    assert_true(read_pipe(reader, text, sizeof text) < 200);
    assert_whole_lines(text);
    access_log_close(a);
    close(reader);
}

static void Pipe_ReaderGone_Survived(void **state)
{
    (void)state;
    int reader = open_pipe();
    signal(SIGPIPE, SIG_IGN);
    close(reader);
    answer(STR("/pipe"), 1);
    access_log_flush(a);
    access_log_close(a);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/moved", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Combined_Answered_EachFieldInItsPlace),
        checked(Json_Answered_EachField),
        checked(Remote_OfIpv6_WithoutBrackets),
        checked(Combined_Hostile_Escaped),
        checked(Json_Hostile_Escaped),
        checked(Hostile_AsLongAsCanBe_IsCut),
        checked(Aborted_BeforeTheHead_NoStatus),
        checked(Aborted_Midway_CountsWhatWentOut),
        checked(Aborted_AfterItsEnd_WasNotCut),
        checked(Reset_ByUs_TheCodesName),
        checked(Refused_BeforeAHandler_Logged),
        checked(NeverBegun_NotLogged),
        checked(GrpcStatus_OfTrailersOrHead_Logged),
        checked(GrpcStatus_NeverSent_NotLogged),
        checked(Lines_Many_AllWritten),
        checked(Flush_AfterAnother_Appends),
        checked(Open_NoSuchFolder_Named),
        checked(Reopen_AfterRename_WritesANewFile),
        checked(Reopen_Impossible_TheOldStays),
        checked(FullDisk_LinesDropped_ThenWholeAgain),
        checked(FullDisk_Reopened_NoHalfLineInTheNewFile),
        checked(Pipe_Full_LinesWait),
        checked(Pipe_NobodyReads_LinesDropped),
        checked(Pipe_ReaderGone_Survived),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
