#include "engine/accel/pare-content.h"

#include <string.h>

static inline uint64_t
fold (uint64_t a, uint64_t b)
{
  __uint128_t r = (__uint128_t)a * b;
  return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t
read64 (const uint8_t *p)
{
  uint64_t v;
  memcpy (&v, p, sizeof v);
  return v;
}

/* Four lanes of multiply and fold (as in Wang Yi's wyhash), brought together in two different ways. */
PareContentKey
pare_content_hash (PareContentKey seed, const void *data, uint64_t bytes)
{
  static const uint64_t k[8] = { 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu, 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u,
                                 0x243f6a8885a308d3u, 0x13198a2e03707345u, 0xa4093822299f31d1u, 0x082efa98ec4e6c89u };
  uint64_t lane[4]
      = { fold (seed.a ^ k[4], k[5]), fold (seed.b ^ k[5], k[6]), fold (seed.a ^ k[6], bytes ^ k[7]), fold (seed.b ^ k[7], k[4]) };
  const uint8_t *p = data;
  uint64_t left = bytes;
  for (; left >= 64; p += 64, left -= 64)
    for (int i = 0; i < 4; i++)
      lane[i] = fold (read64 (p + 16 * i) ^ k[i], read64 (p + 16 * i + 8) ^ lane[i]);
  if (left > 0)
    {
      uint8_t rest[64] = { 0 };
      memcpy (rest, p, left);
      for (int i = 0; i < 4; i++)
        lane[i] = fold (read64 (rest + 16 * i) ^ k[i], read64 (rest + 16 * i + 8) ^ lane[i]);
    }
  uint64_t low = fold (lane[0] ^ k[0], lane[1] ^ k[1]), high = fold (lane[2] ^ k[2], lane[3] ^ k[3]);
  uint64_t cross = fold (lane[0] + k[5], lane[3] + k[6]), other = fold (lane[1] + k[7], lane[2] + k[4]);
  PareContentKey key = { fold (low ^ k[1], high ^ bytes) ^ cross, fold (cross ^ k[2], other ^ k[0]) ^ low };
  return key;
}

PareContentKey
pare_constant_hash (const void *data, uint64_t bytes)
{
  return pare_content_hash ((PareContentKey){ 8, 9 }, data, bytes);
}
