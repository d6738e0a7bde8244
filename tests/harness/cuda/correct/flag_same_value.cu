// launch: 4 256 0
// arguments: randn 1024, zeros_i 1, 1024
// check: a1 - 1
extern "C" __global__ void flag_same_value(const float* a, int* o, int n) {
  if (a[blockIdx.x * 256 + threadIdx.x] > -100.0f) o[0] = 1;
}
