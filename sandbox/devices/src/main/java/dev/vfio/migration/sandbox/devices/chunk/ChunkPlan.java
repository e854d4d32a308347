package dev.vfio.migration.sandbox.devices.chunk;

import dev.vfio.migration.sandbox.devices.content.SequencePoint;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;

/**
 * What the next chunk will hold: pages with their versions, and perhaps the registers. Filled under
 * the device's lock in no time; written from outside it, since content follows from the versions.
 * Reused from chunk to chunk; one owner.
 */
public final class ChunkPlan {
  private final StateGeometry geometry;
  private final long areaWords;
  private final int[] pages;
  private final long[] versions;
  private int count;
  private long words;
  private Registers registers;

  /**
   * @param areaSize bytes that a chunk may take at most
   */
  public ChunkPlan(StateGeometry geometry, int areaSize) {
    if (areaSize < ChunkFormat.smallestArea(geometry.pageSize())) {
      throw new IllegalArgumentException(
          "a data area of " + areaSize + " bytes is too small for a chunk with one page");
    }
    this.geometry = geometry;
    this.areaWords = areaSize / Long.BYTES;
    int most = (int) (areaWords / (ChunkFormat.RECORD_WORDS + 1)) + 1;
    int fitting = (int) (areaWords / (ChunkFormat.RECORD_WORDS + geometry.wordsOfPage())) + 1;
    this.pages = new int[Math.min(most, fitting + 1)];
    this.versions = new long[pages.length];
    clear();
  }

  /** Empties the plan. */
  public void clear() {
    count = 0;
    words = ChunkFormat.HEADER_WORDS;
    registers = null;
  }

  /** Takes the page in if there is room; says whether it did. */
  public boolean add(int page, long version) {
    long after = words + ChunkFormat.RECORD_WORDS + geometry.wordsOf(page);
    if (after > areaWords) {
      return false;
    }
    pages[count] = page;
    versions[count] = version;
    count++;
    words = after;
    return true;
  }

  /** Takes the registers in if there is room; says whether it did. */
  public boolean add(Registers last) {
    if (words + ChunkFormat.REGISTER_WORDS > areaWords) {
      return false;
    }
    registers = last;
    words += ChunkFormat.REGISTER_WORDS;
    return true;
  }

  public boolean isEmpty() {
    return count == 0 && registers == null;
  }

  public int count() {
    return count;
  }

  public int page(int index) {
    return pages[index];
  }

  public long version(int index) {
    return versions[index];
  }

  public boolean hasRegisters() {
    return registers != null;
  }

  Registers registers() {
    return registers;
  }

  StateGeometry geometry() {
    return geometry;
  }

  /** Bytes of the chunk. */
  public int size() {
    return (int) (words * Long.BYTES);
  }

  /**
   * What a device holds beside its pages, and what its pages must add up to.
   *
   * @param digest of the state pages, see {@link
   *     dev.vfio.migration.sandbox.devices.content.StatePages#digest}
   * @param chunks handed out in this stream, this one included
   * @param windowAddress of the DMA window, 0 if there is none
   * @param windowSize of the DMA window in bytes, 0 if there is none
   */
  public record Registers(
      SequencePoint point, long digest, long chunks, long windowAddress, long windowSize) {}
}
