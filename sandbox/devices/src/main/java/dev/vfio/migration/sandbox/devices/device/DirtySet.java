package dev.vfio.migration.sandbox.devices.device;

import java.util.Arrays;

/** A set of pages as a bitmap with a count. Not thread-safe. */
final class DirtySet {
  private final int pages;
  private final long[] words;
  private int count;

  DirtySet(int pages) {
    this.pages = pages;
    this.words = new long[(pages + Long.SIZE - 1) / Long.SIZE];
  }

  int count() {
    return count;
  }

  boolean contains(int page) {
    return (words[page >>> 6] & 1L << page) != 0;
  }

  /** Says whether the page was not in before. */
  boolean add(int page) {
    if (contains(page)) {
      return false;
    }
    words[page >>> 6] |= 1L << page;
    count++;
    return true;
  }

  /** Says whether the page was in. */
  boolean remove(int page) {
    if (!contains(page)) {
      return false;
    }
    words[page >>> 6] &= ~(1L << page);
    count--;
    return true;
  }

  void addAll() {
    Arrays.fill(words, -1);
    if (pages % Long.SIZE != 0) {
      words[words.length - 1] = (1L << pages) - 1;
    }
    count = pages;
  }

  /** The first page in the set from {@code from} up to, not including, {@code end}; -1 if none. */
  int next(int from, int end) {
    int page = from;
    while (page < end) {
      long rest = words[page >>> 6] >>> page;
      if (rest != 0) {
        int found = page + Long.numberOfTrailingZeros(rest);
        return found < end ? found : -1;
      }
      page = (page | 63) + 1;
    }
    return -1;
  }
}
