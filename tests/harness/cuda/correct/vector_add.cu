// launch: 4 256 0
// arguments: randn 1000, randn 1000, zeros 1000, 1000
// check: a2 - (a0 + a1)
extern "C" __global__ void vector_add(const float* a, const float* b, float* o, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) o[i] = a[i] + b[i];
}
