// expect: undefined_behaviour
// launch: 1 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void global_index_overflow(const float* a, float* o, int n) {
  int t = threadIdx.x, i = t * 100000000;
  if (t == 40) o[0] = a[i & 1023];
}
