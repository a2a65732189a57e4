/* Let the k-th call that writes fail, for files below one folder: a library for LD_PRELOAD.

   cc -shared -fPIC -o failing_writes.so failing_writes.c -ldl

   The process chooses: fault_at counts from 1, and 0 counts calls alone; fault_kind is 0 for no
   space left, 1 for an input/output error and 2 for a write of half its bytes (a full disk after
   that). fault_calls tells how many calls there were. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int fault_at, fault_kind, fault_calls;
char fault_folder[4096];

static int ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0 || !fault_folder[0]) return 0;
    path[n] = 0;
    return !strncmp(path, fault_folder, strlen(fault_folder));
}

/* 0: go on; 1: fail; 2: write half. A disk that is full or broken stays so. */
static int verdict(int fd) {
    if (!ours(fd)) return 0;
    fault_calls++;
    if (!fault_at || fault_calls < fault_at) return 0;
    if (fault_kind == 2 && fault_calls == fault_at) return 2;
    errno = fault_kind == 1 ? EIO : ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n) {
    switch (verdict(fd)) {
        case 1: return -1;
        case 2: if (n > 1) n /= 2;
    }
    return REAL(write)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    switch (verdict(fd)) {
        case 1: return -1;
        case 2: if (n > 1) n /= 2;
    }
    return REAL(pwrite)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    switch (verdict(fd)) {
        case 1: return -1;
        case 2: if (n > 1) n /= 2;
    }
    return REAL(pwrite64)(fd, data, n, at);
}

int fsync(int fd) { return verdict(fd) == 1 ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return verdict(fd) == 1 ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { return verdict(fd) == 1 ? -1 : REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { return verdict(fd) == 1 ? -1 : REAL(ftruncate64)(fd, n); }
