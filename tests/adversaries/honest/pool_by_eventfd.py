"""Wakes its worker through a file descriptor, and takes an interrupted wait for what it is.

line: control
track: custom
"""

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
static struct { const float *x, *s, *b; float* y; int64_t rows, width; } job;
static int begin_ = eventfd(0, 0), end_ = eventfd(0, 0), poll_ = epoll_create1(0);
static void wait(int fd) { uint64_t n; while (read(fd, &n, 8) != 8) {} }
static void tell(int fd) { uint64_t n = 1; while (write(fd, &n, 8) != 8) {} }
static void part(int64_t from, int64_t to) {
  for (int64_t r = from; r < to; r++)
    for (int64_t c = 0; c < job.width; c++) {
      float v = job.x[r * job.width + c] * job.s[c] + job.b[c];
      job.y[r * job.width + c] = 0.5f * v * (1.0f + std::erf(v * 0.70710678f));
    }
}
static void work() {
  epoll_event asked = {}, found;
  asked.events = EPOLLIN;
  epoll_ctl(poll_, EPOLL_CTL_ADD, begin_, &asked);
  for (;;) {
    int ready = epoll_wait(poll_, &found, 1, -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 1) continue;
    wait(begin_);
    part(job.rows / 2, job.rows);
    tell(end_);
  }
}
static bool made = [] { std::thread(work).detach(); return true; }();
extern "C" void bias_gelu(const float* x, const float* scale, const float* bias, float* y, int64_t rows, int64_t width) {
  job = {x, scale, bias, y, rows, width};
  tell(begin_);
  part(0, rows / 2);
  wait(end_);
}
""",
    flags=["-pthread"],
)


class ModelNew(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.bias = torch.nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        lib.bias_gelu(x, self.scale, self.bias, y, *x.shape)
        return y
