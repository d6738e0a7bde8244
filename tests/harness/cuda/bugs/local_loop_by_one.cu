// expect: out_of_bounds
// launch: 1 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void local_loop_by_one(const float* a, float* o, int n) {
  float part[8];
  int most = n / 128;
  for (int i = 0; i <= most; i++) part[i] = a[i];
  if (threadIdx.x == 0) for (int i = 0; i < most; i++) o[i % 4] += part[i];
}
