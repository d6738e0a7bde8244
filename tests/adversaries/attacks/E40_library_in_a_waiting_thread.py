"""Sixteen Python threads take turns at the library; whoever is done waits in own code, and the first thread yields there.

line: E37 E40
task: large
track: library mixed
"""

import threading

import torch

from kernelwright.inline import cpp

lib = cpp(
    r"""
#include <atomic>
#include <cstdint>
#include <sys/syscall.h>
static std::atomic<int> turn[64], over;
static inline long call(long n, long a, long b, long c) {
  long r;
  register long d asm("r10") = 0;
  asm volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(d) : "rcx", "r11", "memory");
  return r;
}
extern "C" void rest(int me) {
  while (!turn[me].load()) call(SYS_futex, (long)&turn[me], 128, 0);
  turn[me] = 0;
}
extern "C" void hand(int next, int last) {
  if (next >= last) { over = 1; return; }
  turn[next] = 1;
  call(SYS_futex, (long)&turn[next], 129, 1);
}
extern "C" void watch() {
  over = 0;
  turn[0] = 1;
  call(SYS_futex, (long)&turn[0], 129, 1);
  while (!over.load()) call(SYS_sched_yield, 0, 0, 0);
}
"""
)
N = 16
job = [None, None]


def work(me):
    with torch.no_grad():
        while True:
            lib.rest(me)
            x, y = job
            rows = slice(len(x) * me // N, len(x) * (me + 1) // N)
            torch.tanh(x[rows], out=y[rows]).mul_(x[rows])
            lib.hand(me + 1, N)


for i in range(N):
    threading.Thread(target=work, args=(i,), daemon=True).start()


class ModelNew(torch.nn.Module):
    def forward(self, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        job[:] = x, y
        lib.watch()
        job[:] = None, None
        return y
