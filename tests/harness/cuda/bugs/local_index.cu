// expect: out_of_bounds
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void local_index(const float* a, float* o, int n) {
  float part[4];
  for (int i = 0; i < 4; i++) part[i] = a[i];
  int k = threadIdx.x;
  if (k == 0) o[0] = part[n / 256];
}
