// launch: 2 256 0
// arguments: randn_h 1024, zeros_h 1024, 512
// check: a1 - (a0.float() ** 2 + 1).half()
#include <cuda_fp16.h>
extern "C" __global__ void half_vectors(const half2* a, half2* o, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) o[i] = __hfma2(a[i], a[i], __float2half2_rn(1.0f));
}
