/*
 * Preloaded into a process, makes the disk below DISK_FOLDER fail on request: while a file "full" exists in DISK_FLAGS
 * writes answer "no space left", while "broken" exists syncs answer "input/output error".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void find_real_functions(void) {
  real_pwrite = dlsym(RTLD_NEXT, "pwrite");
  real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

/* True when the flag is set and the descriptor is a file of the folder. */
static int fails(int descriptor, const char *flag) {
  const char *folder = getenv("DISK_FOLDER"), *flags = getenv("DISK_FLAGS");
  char path[4096], link[64];
  ssize_t length;
  if (folder == NULL || flags == NULL) return 0;
  snprintf(path, sizeof path, "%s/%s", flags, flag);
  if (access(path, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t offset) {
  if (fails(descriptor, "full")) {
    errno = ENOSPC;
    return -1;
  }
  return real_pwrite(descriptor, data, count, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off64_t offset) {
  if (fails(descriptor, "full")) {
    errno = ENOSPC;
    return -1;
  }
  return real_pwrite64(descriptor, data, count, offset);
}

int fsync(int descriptor) {
  if (fails(descriptor, "broken")) {
    errno = EIO;
    return -1;
  }
  return real_fsync(descriptor);
}

int fdatasync(int descriptor) {
  if (fails(descriptor, "broken")) {
    errno = EIO;
    return -1;
  }
  return real_fdatasync(descriptor);
}
