/*
 * Preloaded into a process, keeps in IMAGE_TO an image of every file below IMAGE_FROM as it was at its last fsync or
 * fdatasync: what a disk that loses all unsynced writes would hold after a power failure. A removal counts only once
 * the folder has been synced. Names are kept flat: files below sub-folders are left out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVED ".removed"
#define PATH_SIZE 4096

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void find_real_functions(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
}

/* Name of a path inside IMAGE_FROM, "" for the folder itself, NULL for everything else. */
static const char *name_in_folder(const char *path) {
  const char *from = getenv("IMAGE_FROM");
  size_t length;
  if (from == NULL || getenv("IMAGE_TO") == NULL) return NULL;
  length = strlen(from);
  if (strncmp(path, from, length) != 0) return NULL;
  if (path[length] == 0) return path + length;
  if (path[length] != '/' || strchr(path + length + 1, '/') != NULL) return NULL;
  return path + length + 1;
}

static void image_path(char *out, const char *name, const char *suffix) {
  snprintf(out, PATH_SIZE, "%s/%s%s", getenv("IMAGE_TO"), name, suffix);
}

/* The folder was synced: removals that were noted are now durable. */
static void apply_removals(void) {
  DIR *folder = opendir(getenv("IMAGE_TO"));
  struct dirent *entry;
  if (folder == NULL) return;
  while ((entry = readdir(folder)) != NULL) {
    size_t length = strlen(entry->d_name), end = strlen(REMOVED);
    char mark[PATH_SIZE], file[PATH_SIZE];
    if (length <= end || strcmp(entry->d_name + length - end, REMOVED) != 0) continue;
    image_path(mark, entry->d_name, "");
    memcpy(file, mark, strlen(mark) + 1);
    file[strlen(file) - end] = 0;
    real_unlink(file);
    real_unlink(mark);
  }
  closedir(folder);
}

static void copy_file(int source, const char *name) {
  static __thread char buffer[1 << 16];
  char target[PATH_SIZE], partial[PATH_SIZE], mark[PATH_SIZE];
  off_t offset = 0;
  ssize_t count;
  int out;
  image_path(target, name, "");
  image_path(partial, name, ".partial");
  image_path(mark, name, REMOVED);
  out = open(partial, O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (out < 0) return;
  while ((count = pread(source, buffer, sizeof buffer, offset)) > 0) {
    if (write(out, buffer, (size_t)count) != count) abort();
    offset += count;
  }
  close(out);
  rename(partial, target);
  real_unlink(mark);
}

static void keep_image(int descriptor) {
  char link[64], path[PATH_SIZE];
  const char *name;
  ssize_t length;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = 0;
  name = name_in_folder(path);
  if (name == NULL) return;
  if (*name == 0) apply_removals();
  else copy_file(descriptor, name);
}

int fsync(int descriptor) {
  int result = real_fsync(descriptor);
  if (result == 0) keep_image(descriptor);
  return result;
}

int fdatasync(int descriptor) {
  int result = real_fdatasync(descriptor);
  if (result == 0) keep_image(descriptor);
  return result;
}

int unlink(const char *path) {
  const char *name = name_in_folder(path);
  if (name != NULL && *name != 0) {
    char mark[PATH_SIZE];
    int out;
    image_path(mark, name, REMOVED);
    out = open(mark, O_CREAT | O_WRONLY, 0644);
    if (out >= 0) close(out);
  }
  return real_unlink(path);
}
