/* replace.c - see replace.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE, fopencookie */
#endif
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LINKS = 40, MOST_TRIES = 100 };

static bool fail(weft__replace *r, const char *what, int error)
{
    snprintf(r->why, sizeof r->why, "%s%s%s", what, what[0] ? ": " : "", strerror(error));
    return false;
}

/* ---- Writing without the signals that a closed pipe and a limit on a file's size raise in the thread ---- */

static ssize_t quiet_write(int fd, const char *bytes, size_t n)
{
    sigset_t quiet, before, pending, now;
    sigemptyset(&quiet);
    sigaddset(&quiet, SIGPIPE);
    sigaddset(&quiet, SIGXFSZ);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &quiet, &before);
    const ssize_t written = write(fd, bytes, n);
    const int error = errno;
    sigpending(&now);
    if (written < 0 && (error == EPIPE || error == EFBIG)) {
        const int signal = error == EPIPE ? SIGPIPE : SIGXFSZ;
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, signal);
        if (sigismember(&now, signal) && !sigismember(&pending, signal))
            sigtimedwait(&one, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

/* After a failure nothing is written any more; stdio is told that all is well, so that r->error is the one place to
 * look. */
static ssize_t cookie_write(void *cookie, const char *bytes, size_t n)
{
    weft__replace *r = cookie;
    for (size_t done = 0; done < n && !r->error;) {
        const ssize_t written = quiet_write(r->fd, bytes + done, n - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR)
            r->error = errno;
    }
    return (ssize_t)n;
}

/* ---- Where it goes ---- */

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Follows the links that the last part of the path is. One that stands for an open file (/dev/stdout, /dev/fd/3) is not
 * followed: what is behind it is to be written, not replaced. */
static bool follow(weft__replace *r, const char *path)
{
    char link[WEFT__REPLACE_PATH];
    if (!path[0] || strlen(path) >= sizeof r->target)
        return fail(r, "", path[0] ? ENAMETOOLONG : ENOENT);
    strcpy(r->target, path);
    for (int k = 0; k < MOST_LINKS; k++) {
        const ssize_t n = readlink(r->target, link, sizeof link - 1);
        if (n < 0)
            return true;
        if (starts_with(r->target, "/proc/") || starts_with(r->target, "/dev/fd/"))
            return r->stream = true;
        link[n] = '\0';
        const size_t keep = link[0] == '/' ? 0 : folder_length(r->target);
        if (keep + (size_t)n >= sizeof r->target)
            return fail(r, "", ENAMETOOLONG);
        strcpy(r->target + keep, link);
    }
    return fail(r, "", ELOOP);
}

/* A name in the target's folder that nobody has taken, most likely. */
static bool name_beside(weft__replace *r)
{
    static atomic_uint count;
    struct timespec now = {0};
    const size_t folder = folder_length(r->target);
    clock_gettime(CLOCK_REALTIME, &now);
    if (folder + 64 > sizeof r->beside)
        return fail(r, "", ENAMETOOLONG);
    memcpy(r->beside, r->target, folder);
    snprintf(r->beside + folder, 64, ".weft-%lx-%x-%lx.tmp", (unsigned long)getpid(), atomic_fetch_add(&count, 1),
             (unsigned long)now.tv_nsec);
    return true;
}

static void folder_of(const weft__replace *r, char folder[WEFT__REPLACE_PATH])
{
    const size_t n = folder_length(r->target);
    memcpy(folder, r->target, n);
    strcpy(folder + n, n ? "" : ".");
}

static bool open_nameless(weft__replace *r)
{
#ifdef O_TMPFILE
    char folder[WEFT__REPLACE_PATH];
    folder_of(r, folder);
    if (access("/proc/self/fd", X_OK) == 0) /* it gets its name by way of that folder */
        r->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#endif
    return r->fd >= 0;
}

static bool open_named(weft__replace *r)
{
    for (int k = 0; k < MOST_TRIES; k++) {
        if (!name_beside(r))
            return false;
        r->fd = open(r->beside, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (r->fd >= 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    r->beside[0] = '\0';
    return fail(r, "no file can be made in its folder, where the new contents are written first", errno);
}

/* What the old file allowed, and to whom, as far as the system lets us. */
static void inherit(const weft__replace *r, const struct stat *old)
{
    if (fchown(r->fd, old->st_uid, old->st_gid) != 0 && fchown(r->fd, (uid_t)-1, old->st_gid) != 0)
        errno = 0; /* another user's file in a folder of ours: it becomes ours */
    (void)!fchmod(r->fd, old->st_mode & 0777);
}

static bool open_beside(weft__replace *r, const struct stat *old, bool named)
{
    if (old && faccessat(AT_FDCWD, r->target, W_OK, AT_EACCESS) != 0)
        return fail(r, "", errno);
    if ((named || !open_nameless(r)) && !open_named(r))
        return false;
    if (old)
        inherit(r, old);
    return true;
}

static bool open_stream(weft__replace *r)
{
    r->stream = true;
    r->fd = open(r->target, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (r->fd < 0)
        return errno == ENXIO ? fail(r, "nobody reads from the other end", errno) : fail(r, "", errno);
    const int flags = fcntl(r->fd, F_GETFL);
    if (flags >= 0 && fcntl(r->fd, F_SETFL, flags & ~O_NONBLOCK) >= 0)
        return true;
    const int error = errno;
    close(r->fd);
    return fail(r, "", error);
}

static bool open_any(weft__replace *r, const char *path, bool named)
{
    struct stat old;
    *r = (weft__replace){.fd = -1};
    if (!follow(r, path))
        return false;
    const bool there = stat(r->target, &old) == 0;
    if (!there && errno != ENOENT)
        return fail(r, "", errno);
    if (there && S_ISDIR(old.st_mode))
        return fail(r, "", EISDIR);
    const bool is_stream = r->stream || (there && !S_ISREG(old.st_mode));
    if (is_stream ? !open_stream(r) : !open_beside(r, there ? &old : NULL, named))
        return false;
    r->out = fopencookie(r, "w", (cookie_io_functions_t){.write = cookie_write});
    if (r->out)
        return true;
    weft__replace_drop(r);
    return fail(r, "", ENOMEM);
}

bool weft__replace_open(weft__replace *r, const char *path)
{
    return open_any(r, path, false);
}

bool weft__replace_open_named(weft__replace *r, const char *path)
{
    return open_any(r, path, true);
}

/* ---- The end ---- */

void weft__replace_drop(weft__replace *r)
{
    if (!r->error)
        r->error = ECANCELED; /* what is in the buffer stays there */
    if (r->out)
        fclose(r->out);
    if (r->fd >= 0)
        close(r->fd);
    if (r->beside[0])
        unlink(r->beside);
    r->out = NULL;
    r->fd = -1;
    r->beside[0] = '\0';
}

static bool give_name(weft__replace *r)
{
    char open_file[64];
    snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", r->fd);
    for (int k = 0; k < MOST_TRIES; k++) {
        if (!name_beside(r))
            break;
        if (linkat(AT_FDCWD, open_file, AT_FDCWD, r->beside, AT_SYMLINK_FOLLOW) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    r->beside[0] = '\0';
    return false;
}

/* The rename itself is on the disk when the folder is. Some file systems have no such thing: EINVAL. */
static bool sync_folder(weft__replace *r)
{
    char folder[WEFT__REPLACE_PATH];
    folder_of(r, folder);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return true; /* it may be written and not read: nothing to be done */
    const int error = fsync(fd) == 0 || errno == EINVAL || errno == EBADF ? 0 : errno;
    close(fd);
    return !error || fail(r, "it is written, but its folder could not be brought to the disk", error);
}

static bool put_in_place(weft__replace *r)
{
    if (fsync(r->fd) != 0)
        return fail(r, "writing failed", errno);
    if (!r->beside[0] && !give_name(r))
        return fail(r, "the new file cannot be given a name in its folder", errno);
    if (rename(r->beside, r->target) != 0)
        return fail(r, "the new file cannot take the place of the old one", errno);
    r->beside[0] = '\0';
    return sync_folder(r);
}

bool weft__replace_commit(weft__replace *r)
{
    fflush(r->out);
    bool fine = !r->error || fail(r, "writing failed", r->error);
    if (fine && !r->stream)
        fine = put_in_place(r);
    if (fine)
        fclose(r->out), r->out = NULL;
    weft__replace_drop(r);
    return fine;
}
