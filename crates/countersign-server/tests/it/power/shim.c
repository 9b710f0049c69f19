/*
 * A disk whose power can be cut. Loaded with LD_PRELOAD into a process that writes below POWER_FOLDER, it keeps in POWER_SHADOW only
 * what that process has synced: a file's content as of its last fsync or fdatasync, a name as of the last fsync of the folder.
 * Nothing else is promised by POSIX, so nothing else is kept: dropping every write that was not synced is the worst honest disk.
 *
 * While POWER_SHADOW has a file named `full`, there is no space: every write below the folder fails with ENOSPC.
 *
 * After POWER_SYNCS syncs the power is gone: the next one says "cut" on the standard output and never returns, nor does any later one.
 *
 * Shadow: content/<inode> is a file, names/<name> a symbolic link whose target is the inode's number. One flat folder; no O_SYNC, no
 * msync, no hard links: what Countersign does not use is not imitated.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *folder, *shadow;
static long syncs_left;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

static void broken(const char *what) {
    perror(what);
    _exit(70);
}

/* Copies the whole file: SQLite's are small here, and unsynced parts of a file never reach this function later than its sync. */
static void keep_content(const char *path, ino_t inode) {
    char next[PATH_MAX], kept[PATH_MAX], buffer[65536];
    snprintf(next, sizeof next, "%s/content/next", shadow);
    snprintf(kept, sizeof kept, "%s/content/%lu", shadow, (unsigned long)inode);
    int from = open(path, O_RDONLY | O_CLOEXEC), to = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0) broken("power: cannot copy");
    for (ssize_t count; (count = read(from, buffer, sizeof buffer)) != 0;)
        if (count < 0 || write(to, buffer, (size_t)count) != count) broken("power: cannot copy");
    close(from);
    close(to);
    if (rename(next, kept) != 0) broken("power: cannot keep");
}

static void keep_name(const char *name, ino_t inode) {
    char next[PATH_MAX], kept[PATH_MAX], target[32];
    snprintf(next, sizeof next, "%s/next", shadow);
    snprintf(kept, sizeof kept, "%s/names/%s", shadow, name);
    snprintf(target, sizeof target, "%lu", (unsigned long)inode);
    if (symlink(target, next) != 0 || rename(next, kept) != 0) broken("power: cannot keep a name");
}

/* Makes the folder's present names durable; those that are gone are forgotten. Content is copied only at the start. */
static void keep_names(int with_content) {
    char path[PATH_MAX];
    struct stat status;
    DIR *present = opendir(folder);
    if (!present) broken("power: cannot read the folder");
    for (struct dirent *entry; (entry = readdir(present));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (with_content) keep_content(path, status.st_ino);
        keep_name(entry->d_name, status.st_ino);
    }
    closedir(present);
    snprintf(path, sizeof path, "%s/names", shadow);
    DIR *kept = opendir(path);
    if (!kept) broken("power: cannot read the shadow");
    for (struct dirent *entry; (entry = readdir(kept));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (lstat(path, &status) == 0) continue;
        snprintf(path, sizeof path, "%s/names/%s", shadow, entry->d_name);
        unlink(path);
    }
    closedir(kept);
}

/* Whether the open file is the folder itself (2), a file in it (1) or neither (0). */
static int concerns(int fd, struct stat *status) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!folder || length < 0 || fstat(fd, status) != 0) return 0;
    path[length] = 0;
    if (strcmp(path, folder) == 0) return 2;
    size_t prefix = strlen(folder);
    return strncmp(path, folder, prefix) == 0 && path[prefix] == '/' && S_ISREG(status->st_mode);
}

static int synced(int fd, int (*real)(int)) {
    struct stat status;
    int what = concerns(fd, &status);
    if (what == 0) return real(fd);
    pthread_mutex_lock(&disk);
    if (syncs_left == 0) {
        static const char cut[] = "cut\n";
        if (write(STDOUT_FILENO, cut, sizeof cut - 1) < 0) broken("power: nobody listens");
        for (;;) pause(); /* The lock is never given back: no other sync returns either. */
    }
    if (syncs_left > 0) syncs_left--;
    if (what == 2) {
        keep_names(0);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        keep_content(link, status.st_ino);
    }
    pthread_mutex_unlock(&disk);
    return 0;
}

/* Whether a write to the open file finds no space. */
static int is_full(int fd) {
    char path[PATH_MAX];
    struct stat status;
    if (!folder || concerns(fd, &status) != 1) return 0;
    snprintf(path, sizeof path, "%s/full", shadow);
    if (access(path, F_OK) != 0) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (!real_write) real_write = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return is_full(fd) ? -1 : real_write(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    if (!real_pwrite) real_pwrite = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return is_full(fd) ? -1 : real_pwrite(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

__attribute__((constructor)) static void power_on(void) {
    char path[PATH_MAX];
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    shadow = getenv("POWER_SHADOW");
    const char *syncs = getenv("POWER_SYNCS");
    const char *given = getenv("POWER_FOLDER");
    if (!given || !shadow || !syncs) return;
    syncs_left = atol(syncs);
    folder = realpath(given, NULL);
    if (!folder) broken("power: no such folder");
    snprintf(path, sizeof path, "%s/content", shadow);
    if (mkdir(path, 0700) != 0) broken("power: cannot make the shadow");
    snprintf(path, sizeof path, "%s/names", shadow);
    if (mkdir(path, 0700) != 0) broken("power: cannot make the shadow");
    keep_names(1); /* What was there before the power came on has been on the disk. */
}
