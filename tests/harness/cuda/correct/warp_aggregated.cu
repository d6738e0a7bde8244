// launch: 4 256 0
// arguments: randn 1024, zeros_i 1, 1024
// check: a1 - (a0 > 0).sum()
extern "C" __global__ void warp_aggregated(const float* a, int* o, int n) {
  if (a[blockIdx.x * 256 + threadIdx.x] > 0) {
    unsigned active = __activemask();
    int leader = __ffs(active) - 1;
    if (threadIdx.x % 32 == leader) atomicAdd(o, __popc(active));
  }
}
