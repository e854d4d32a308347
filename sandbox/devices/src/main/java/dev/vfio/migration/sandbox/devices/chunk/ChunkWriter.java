package dev.vfio.migration.sandbox.devices.chunk;

import dev.vfio.migration.sandbox.devices.content.PageContent;
import dev.vfio.migration.sandbox.devices.content.SequencePoint;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.content.WriteRate;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/** Writes chunks of one stream. Holds one page of scratch; one owner. */
public final class ChunkWriter {
  private final long stream;
  private final long seed;
  private final PageContent content;
  private final long[] words = new long[PageContent.MAX_PAGE_SIZE / Long.BYTES];
  private long sequence;

  /**
   * @param stream names the stream; chunks of two streams cannot be mixed
   * @param seed of the state that is handed out
   */
  public ChunkWriter(long stream, long seed) {
    this.stream = stream;
    this.seed = seed;
    this.content = new PageContent(seed);
  }

  /** How many chunks have been written. */
  public long sequence() {
    return sequence;
  }

  /**
   * Writes the planned chunk to the beginning of {@code area}.
   *
   * @return its size in bytes
   */
  public int write(ChunkPlan plan, ByteBuffer area) {
    LongBuffer out = area.slice().order(ByteOrder.LITTLE_ENDIAN).asLongBuffer();
    StateGeometry geometry = plan.geometry();
    int flags = plan.hasRegisters() ? ChunkFormat.FLAG_REGISTERS : 0;
    words[0] = ChunkFormat.MAGIC;
    words[1] = ChunkFormat.FORMAT | (long) plan.count() << 32;
    words[2] = stream;
    words[3] = sequence++;
    words[4] = seed;
    words[5] = geometry.stateSize();
    words[6] = geometry.pageSize() | (long) flags << 32;
    words[7] = ChunkFormat.check(words, 7);
    out.put(words, 0, ChunkFormat.HEADER_WORDS);
    for (int index = 0; index < plan.count(); index++) {
      int page = plan.page(index);
      long version = plan.version(index);
      int count = geometry.wordsOf(page);
      out.put(page);
      out.put(version);
      content.fill(page, version, words, count);
      out.put(words, 0, count);
    }
    if (plan.hasRegisters()) {
      putRegisters(plan.registers(), out);
    }
    return out.position() * Long.BYTES;
  }

  private void putRegisters(ChunkPlan.Registers registers, LongBuffer out) {
    SequencePoint point = registers.point();
    words[0] = point.seed();
    words[1] = point.step();
    words[2] = point.chain();
    putPace(point.devicePace(), 3);
    putPace(point.windowPace(), 6);
    words[9] = registers.digest();
    words[10] = registers.chunks();
    words[11] = registers.windowAddress();
    words[12] = registers.windowSize();
    words[13] = 0;
    words[14] = 0;
    words[15] = ChunkFormat.check(words, 15);
    out.put(words, 0, ChunkFormat.REGISTER_WORDS);
  }

  private void putPace(WriteRate pace, int at) {
    words[at] = pace.fromStep();
    words[at + 1] = pace.fromWrites();
    words[at + 2] = pace.perStep();
  }
}
