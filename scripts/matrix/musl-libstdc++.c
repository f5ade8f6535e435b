// What the host's static libstdc++, made for glibc, takes of it and musl has not: linked with this it is a libstdc++ for musl.
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;

unsigned arc4random(void) {
  unsigned number;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

size_t __strftime_l(char *to, size_t size, const char *format, const struct tm *time, locale_t locale) {
  return strftime_l(to, size, format, time, locale);
}

// Finds nothing, so that nothing is thrown through it.
int _dl_find_object(void *address, void *found) {
  (void)address, (void)found;
  return -1;
}

struct Destructor {
  void (*run)(void *);
  void *object;
  struct Destructor *next;
};

static pthread_key_t destructors;

static void destroy(void *first) {
  for (struct Destructor *it = first; it != NULL;) {
    struct Destructor *next = it->next;
    it->run(it->object);
    free(it);
    it = next;
  }
}

__attribute__((constructor)) static void prepare(void) { pthread_key_create(&destructors, destroy); }

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *library) {
  (void)library;
  struct Destructor *it = malloc(sizeof *it);
  if (it == NULL) return -1;
  *it = (struct Destructor){run, object, pthread_getspecific(destructors)};
  return pthread_setspecific(destructors, it);
}
