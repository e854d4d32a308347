package dev.vfio.migration.sandbox.devices.content;

import java.util.Arrays;

/**
 * The device state, held as one version a page: 8 bytes for every 4 KiB. A running digest over
 * (page, version) is kept with every change, so that comparing two states costs nothing when it
 * matters. Not thread-safe: the device owns it under its lock.
 */
public final class StatePages {
  /** The version of a page that has not arrived yet. */
  public static final long MISSING = -1;

  private final StateGeometry geometry;
  private final long[] versions;
  private int missing;
  private long digest;

  private StatePages(StateGeometry geometry, long version) {
    this.geometry = geometry;
    this.versions = new long[geometry.pages()];
    Arrays.fill(versions, version);
    if (version == MISSING) {
      missing = versions.length;
    } else {
      for (int page = 0; page < versions.length; page++) {
        digest += weight(page, version);
      }
    }
  }

  /** A state as it is before the first step. */
  public static StatePages fresh(StateGeometry geometry) {
    return new StatePages(geometry, 0);
  }

  /** A state of which nothing has arrived yet. */
  public static StatePages awaited(StateGeometry geometry) {
    return new StatePages(geometry, MISSING);
  }

  public StateGeometry geometry() {
    return geometry;
  }

  public long version(int page) {
    return versions[page];
  }

  /** Gives the page another version; 0 and up. */
  public void write(int page, long version) {
    long previous = versions[page];
    if (previous == MISSING) {
      missing--;
    } else {
      digest -= weight(page, previous);
    }
    versions[page] = version;
    digest += weight(page, version);
  }

  /** How many pages have not arrived yet. */
  public int missing() {
    return missing;
  }

  /** Equal for two states only if every page has the same version (but for chance, 2^-64). */
  public long digest() {
    return digest;
  }

  private static long weight(long page, long version) {
    return Mix.of(page, version);
  }
}
