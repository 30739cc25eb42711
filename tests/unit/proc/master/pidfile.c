/* The pid file: of a server that runs, of one that crashed, of another program. */
#include "proc/master/pidfile.h"
#include "tests/unit/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/moontrail-pid-XXXXXX";
static char why[PIDFILE_WHY];

static void write_id(int id)
{
    FILE *f = fopen(path, "w");
    fprintf(f, "%d\n", id);
    fclose(f);
}

static int read_id(void)
{
    int id = -1;
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fscanf(f, "%d", &id) != 1)
        id = -1;
    fclose(f);
    return id;
}

/* A process of this program's name. */
static pid_t start_twin(void)
{
    pid_t id = fork();
    if (id == 0) {
        pause();
        _exit(0);
    }
    return id;
}

static void end_twin(pid_t id)
{
    kill(id, SIGKILL);
    waitpid(id, NULL, 0);
}

static void Pidfile_Opened_WrittenAndRemoved(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(pidfile_write(path, 0, why), RC_OK);
    assert_int_equal(read_id(), getpid());
    pidfile_remove(path);
    assert_int_equal(read_id(), 0);
}

static void Pidfile_OfRunningServer_Stays(void **state)
{
    pid_t twin = start_twin();
    char id[16];
    (void)state;
    write_id(twin);
    assert_int_equal(pidfile_write(path, 0, why), RC_SYSTEM);
    snprintf(id, sizeof id, "%d", (int)twin);
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, id));
    pidfile_remove(path);
    assert_int_equal(read_id(), twin);
    assert_int_equal(pidfile_write(path, twin, why), RC_OK);
    assert_int_equal(read_id(), getpid());
    end_twin(twin);
}

static void Pidfile_LeftBehind_Replaced(void **state)
{
    pid_t twin = start_twin();
    (void)state;
    end_twin(twin);
    write_id(twin);
    assert_int_equal(pidfile_write(path, 0, why), RC_OK);
    assert_int_equal(read_id(), getpid());
}

/* Process 1 is another program. */
static void Pidfile_IdUsedAgain_Replaced(void **state)
{
    (void)state;
    write_id(1);
    assert_int_equal(pidfile_write(path, 0, why), RC_OK);
    assert_int_equal(read_id(), getpid());
}

static void Pidfile_FolderMissing_Named(void **state)
{
    (void)state;
    assert_int_equal(pidfile_write("/tmp/moontrail-nowhere/pid", 0, why), RC_SYSTEM);
    assert_non_null(strstr(why, "/tmp/moontrail-nowhere/pid"));
    assert_non_null(strstr(why, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Pidfile_Opened_WrittenAndRemoved),
        checked(Pidfile_OfRunningServer_Stays),
        checked(Pidfile_LeftBehind_Replaced),
        checked(Pidfile_IdUsedAgain_Replaced),
        checked(Pidfile_FolderMissing_Named),
    };
    close(mkstemp(path));
    int failures = cmocka_run_group_tests_name("proc/pidfile", tests, NULL, NULL);
    unlink(path);
    return failures;
}
