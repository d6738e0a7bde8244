// expect: race
// launch: 1 256 0
// arguments: randint 1024, zeros_i 16, 1024
extern "C" __global__ void race_read_after_atomics(const int* a, int* o, int n) {
  __shared__ int h[16];
  int t = threadIdx.x;
  if (t < 16) h[t] = 0;
  __syncthreads();
  atomicAdd(&h[a[t] & 15], 1);
  if (t < 16) o[t] = h[t];
}
