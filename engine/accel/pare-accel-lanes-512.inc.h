/* Arithmetic on sixteen floats, by the names that kernels are written with. */
#define LOAD(p) _mm512_loadu_ps (p)
#define STORE(p, x) _mm512_storeu_ps (p, x)
#define LOAD_SOME(p, n) _mm512_maskz_loadu_ps ((__mmask16)((1u << (n)) - 1), p) /* n <= LANES */
#define STORE_SOME(p, x, n) _mm512_mask_storeu_ps (p, (__mmask16)((1u << (n)) - 1), x)
#define ALL(s) _mm512_set1_ps (s)
#define ADD(a, b) _mm512_add_ps (a, b)
#define SUB(a, b) _mm512_sub_ps (a, b)
#define MUL(a, b) _mm512_mul_ps (a, b)
#define FMA(a, b, c) _mm512_fmadd_ps (a, b, c)   /* a b + c */
#define FNMA(a, b, c) _mm512_fnmadd_ps (a, b, c) /* c - a b */
#define LARGER(a, x) _mm512_max_ps (a, x)        /* x where it is NaN */
#define SMALLER(a, x) _mm512_min_ps (a, x)
#define DIV(a, b) _mm512_div_ps (a, b)
#define TO_RANGE(x) (x)                     /* what TIMES_2_TO takes */
#define FRACTION(x) _mm512_reduce_ps (x, 0) /* what the nearest whole number leaves */
#define TIMES_2_TO(a, n) _mm512_scalef_ps (a, n)
