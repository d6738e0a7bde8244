// A CUDA driver of memory files: what the judge of GPUs calls, with the struct layouts of cuda.h 12.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct { int type, id; } Location;
typedef struct {
  int type, requestedHandleTypes;
  Location location;
  void *win32HandleMetaData;
  struct { unsigned char compressionType, gpuDirectRDMACapable; unsigned short usage; unsigned char reserved[4]; } allocFlags;
} Properties;
typedef struct { Location location; int flags; } Access;
_Static_assert(sizeof(Properties) == 32, "CUmemAllocationProp");
_Static_assert(sizeof(Access) == 12, "CUmemAccessDesc");

enum { OK = 0, INVALID = 1, NO_CONTEXT = 201 };
#define GRAIN (1 << 16)
static int started;
static __thread void *current;
static int context;

static void said(const char *what) {
  const char *path = getenv("FAKE_CUDA_LOG");
  FILE *log = path ? fopen(path, "a") : NULL;
  if (log) { fprintf(log, "%s\n", what); fclose(log); }
}
#define ENTER said(__func__); if (!current) return NO_CONTEXT;

int cuInit(unsigned flags) { said(__func__); started = flags == 0; return OK; }
int cuDriverGetVersion(int *v) { *v = 12080; return OK; }
int cuDeviceGetCount(int *n) { *n = 1; return OK; }
int cuDeviceGet(int *d, int i) { *d = i; return !started ? 3 : i ? 101 : OK; }
int cuDeviceGetName(char *name, int most, int d) { snprintf(name, most, "Fake GPU %d", d); return OK; }
int cuDeviceGetAttribute(int *out, int attribute, int d) {
  const char *lacks = getenv("FAKE_CUDA_LACKS");
  *out = attribute == 38 ? 1 << 20 : attribute == 102 || attribute == 103;
  if (lacks && attribute == atoi(lacks)) *out = 0;
  return OK;
}
int cuDevicePrimaryCtxRetain(void **out, int d) { *out = &context; return OK; }
int cuCtxSetCurrent(void *c) { current = c; return OK; }
int cuCtxSynchronize(void) { ENTER return OK; }
int cuCtxResetPersistingL2Cache(void) { ENTER return OK; }
int cuMemGetAllocationGranularity(size_t *out, const Properties *p, int option) { *out = GRAIN; return OK; }
int cuMemCreate(unsigned long long *handle, size_t size, const Properties *p, unsigned long long flags) {
  ENTER
  if (p->type != 1 || p->requestedHandleTypes != 1 || p->location.type != 1 || p->location.id != 0) return INVALID;
  if (size % GRAIN || flags || p->allocFlags.usage) return INVALID;
  int fd = memfd_create("device", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, size)) return 2;
  *handle = fd;
  return OK;
}
int cuMemExportToShareableHandle(void *out, unsigned long long handle, int kind, unsigned long long flags) {
  ENTER
  if (kind != 1 || flags) return INVALID;
  *(int *)out = dup(handle);
  return OK;
}
int cuMemImportFromShareableHandle(unsigned long long *handle, void *fd, int kind) {
  ENTER
  if (kind != 1) return INVALID;
  *handle = dup((int)(intptr_t)fd);
  return (int)*handle < 0 ? INVALID : OK;
}
int cuMemAddressReserve(unsigned long long *out, size_t size, size_t align, unsigned long long at, unsigned long long flags) {
  ENTER
  if (size % GRAIN || flags) return INVALID;
  void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  *out = (unsigned long long)p;
  return p == MAP_FAILED ? 2 : OK;
}
int cuMemMap(unsigned long long at, size_t size, size_t offset, unsigned long long handle, unsigned long long flags) {
  ENTER
  struct stat s;
  if (offset || flags || fstat(handle, &s) || (size_t)s.st_size != size) return INVALID;
  return mmap((void *)at, size, PROT_NONE, MAP_SHARED | MAP_FIXED, handle, 0) == MAP_FAILED ? INVALID : OK;
}
int cuMemSetAccess(unsigned long long at, size_t size, const Access *a, size_t count) {
  ENTER
  if (count != 1 || a->location.type != 1 || a->location.id != 0 || a->flags != 3) return INVALID;
  return mprotect((void *)at, size, PROT_READ | PROT_WRITE) ? INVALID : OK;
}
int cuMemUnmap(unsigned long long at, size_t size) {
  ENTER
  void *p = mmap((void *)at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? INVALID : OK;
}
int cuMemAddressFree(unsigned long long at, size_t size) { ENTER return munmap((void *)at, size) ? INVALID : OK; }
int cuMemRelease(unsigned long long handle) { ENTER return close(handle) ? INVALID : OK; }
int cuMemAlloc_v2(unsigned long long *out, size_t n) { ENTER *out = (unsigned long long)malloc(n); return OK; }
int cuMemFree_v2(unsigned long long p) { ENTER free((void *)p); return OK; }
int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t n) { ENTER memcpy((void *)to, from, n); return OK; }
int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t n) { ENTER memcpy(to, (void *)from, n); return OK; }
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t n, void *stream) {
  if (!current) return NO_CONTEXT;
  if (stream) return INVALID;
  memmove((void *)to, (void *)from, n);
  return OK;
}
int cuMemsetD8_v2(unsigned long long p, unsigned char byte, size_t n) { ENTER memset((void *)p, byte, n); return OK; }
int cuEventCreate(void **out, unsigned flags) { *out = malloc(sizeof(struct timespec)); return flags ? INVALID : OK; }
int cuEventRecord(void *event, void *stream) { return stream ? INVALID : clock_gettime(CLOCK_MONOTONIC, event); }
int cuEventElapsedTime(float *ms, void *a, void *b) {
  struct timespec *x = a, *y = b;
  *ms = (y->tv_sec - x->tv_sec) * 1e3f + (y->tv_nsec - x->tv_nsec) * 1e-6f;
  return OK;
}
int cuGetErrorString(int error, const char **out) {
  *out = error == INVALID ? "invalid argument" : error == NO_CONTEXT ? "invalid device context" : "unknown";
  return OK;
}
