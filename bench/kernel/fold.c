/* The fold as a C compiler makes it, for comparison: accumulator += (weight * x + magic) - magic.
   Usage: fold SIZE_BYTES. For each line on standard input it runs once and prints the nanoseconds taken.
   Build: cc -O3 -march=native -ffp-contract=off, because a fused multiply-add would round differently. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void fold(double *restrict sums, const float *restrict x, size_t count, double weight,
                 double magic) {
  for (size_t i = 0; i < count; i++) sums[i] += (weight * x[i] + magic) - magic;
}

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  size_t count = strtoull(argv[1], NULL, 10) / sizeof(float);
  float *x = malloc(count * sizeof(float));
  double *sums = malloc(count * sizeof(double));
  if (x == NULL || sums == NULL) return 1;
  for (size_t i = 0; i < count; i++) {
    x[i] = (float)(i % 1000) / 1000.0f - 0.5f;
    sums[i] = 0.0;
  }
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n') continue;
    long long begin = now_ns();
    fold(sums, x, count, 7.0, 6291456.0);
    printf("%lld\n", now_ns() - begin);
    fflush(stdout);
  }
  /* Read, so that the loop cannot be removed. */
  return sums[count / 2] > 1e300;
}
