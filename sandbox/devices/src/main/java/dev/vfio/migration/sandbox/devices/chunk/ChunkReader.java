package dev.vfio.migration.sandbox.devices.chunk;

import dev.vfio.migration.sandbox.devices.content.PageContent;
import dev.vfio.migration.sandbox.devices.content.SequencePoint;
import dev.vfio.migration.sandbox.devices.content.StatePages;
import dev.vfio.migration.sandbox.devices.content.WriteRate;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusableAction;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Takes a stream of chunks in, cut anywhere (a destination's region may be smaller than a source's
 * chunk), checks every byte and stores the versions. After an error nothing more is taken and
 * {@link #complete} refuses. One owner.
 */
public final class ChunkReader {
  private enum Expecting {
    HEADER,
    RECORD,
    CONTENT,
    REGISTERS
  }

  private final StatePages pages;
  private final long[] words = new long[PageContent.MAX_PAGE_SIZE / Long.BYTES];
  private final long[] scratch = new long[PageContent.MAX_PAGE_SIZE / Long.BYTES];
  // a unit that is cut in two by the end of a buffer waits here for its rest
  private final ByteBuffer partial =
      ByteBuffer.allocate(PageContent.MAX_PAGE_SIZE).order(ByteOrder.LITTLE_ENDIAN);

  private Expecting expecting = Expecting.HEADER;
  private boolean started;
  private boolean corrupt;
  private boolean mayRestart;
  private long stream;
  private long chunks;
  private PageContent content;
  private long seed;
  private long recordsLeft;
  private boolean registersFollow;
  private long page;
  private long version;
  private ChunkPlan.Registers registers;

  public ChunkReader(StatePages pages) {
    this.pages = pages;
  }

  /** Whole chunks taken in so far. */
  public long chunks() {
    return chunks;
  }

  /**
   * The carrier has changed: the chunk that is half here may come again from its beginning, or go
   * on. Which of the two shows by its first word.
   */
  public void carrierChanged() {
    mayRestart = true;
  }

  /**
   * Takes all of {@code input} in.
   *
   * @throws RefusalException EINVAL if these bytes are not what this stream may hold here
   */
  public void accept(ByteBuffer input) throws RefusalException {
    if (corrupt) {
      throw new RefusalException(Errno.EIO, "an earlier buffer was corrupt; reset the device");
    }
    ByteBuffer in = input.slice().order(ByteOrder.LITTLE_ENDIAN);
    restartIfRepeated(in);
    try {
      while (in.hasRemaining()) {
        int unit = unitSize();
        if (partial.position() == 0 && in.remaining() >= unit) {
          take(in, unit);
          in.position(in.position() + unit);
        } else {
          int step = Math.min(unit - partial.position(), in.remaining());
          partial.put(in.slice().limit(step));
          in.position(in.position() + step);
          if (partial.position() == unit) {
            take(partial.flip(), unit);
            partial.clear();
          }
        }
      }
    } catch (RefusalException e) {
      corrupt = true;
      throw e;
    }
  }

  /**
   * Ends the stream: everything must be here.
   *
   * @return the registers
   * @throws RefusalException EINVAL if something is missing, EIO if it does not add up
   */
  public ChunkPlan.Registers complete() throws RefusalException {
    if (corrupt) {
      throw new RefusalException(Errno.EIO, "a buffer was corrupt; the state cannot be used");
    }
    if (expecting != Expecting.HEADER || partial.position() > 0) {
      throw new RefusalException(Errno.EINVAL, "the last chunk is only half here");
    }
    if (pages.missing() > 0) {
      throw new RefusalException(Errno.EINVAL, pages.missing() + " pages never arrived");
    }
    if (registers == null) {
      throw new RefusalException(Errno.EINVAL, "the registers never arrived");
    }
    if (registers.digest() != pages.digest()) {
      throw new RefusalException(
          Errno.EIO,
          String.format(
              "the pages are not those that the registers stand for: a chunk was lost or is stale"
                  + " (%s chunks came, %s were handed out)",
              chunks, registers.chunks()));
    }
    return registers;
  }

  private void restartIfRepeated(ByteBuffer in) {
    boolean midChunk = expecting != Expecting.HEADER || partial.position() > 0;
    if (mayRestart
        && midChunk
        && in.remaining() >= Long.BYTES
        && in.getLong(0) == ChunkFormat.MAGIC) {
      expecting = Expecting.HEADER;
      partial.clear();
    }
    mayRestart = false;
  }

  private int unitSize() {
    return switch (expecting) {
      case HEADER -> ChunkFormat.HEADER_WORDS * Long.BYTES;
      case RECORD -> ChunkFormat.RECORD_WORDS * Long.BYTES;
      case CONTENT -> pages.geometry().lengthOf(page);
      case REGISTERS -> ChunkFormat.REGISTERS_SIZE;
    };
  }

  private void take(ByteBuffer in, int unit) throws RefusalException {
    int count = unit / Long.BYTES;
    in.asLongBuffer().get(words, 0, count);
    RefusableAction action =
        switch (expecting) {
          case HEADER -> this::takeHeader;
          case RECORD -> this::takeRecord;
          case CONTENT -> () -> takeContent(count);
          case REGISTERS -> this::takeRegisters;
        };
    action.perform();
  }

  private void takeHeader() throws RefusalException {
    expect(words[0] == ChunkFormat.MAGIC, "no chunk begins here");
    expect(words[7] == ChunkFormat.check(words, 7), "the chunk's header is damaged");
    expect((int) words[1] == ChunkFormat.FORMAT, "unknown chunk format " + (int) words[1]);
    expect(
        words[5] == pages.geometry().stateSize() && (int) words[6] == pages.geometry().pageSize(),
        String.format(
            "the source has a state of %s bytes in pages of %s, this device %s",
            words[5], (int) words[6], pages.geometry()));
    if (!started) {
      started = true;
      stream = words[2];
      seed = words[4];
      content = new PageContent(seed);
    }
    expect(words[2] == stream && words[4] == seed, "a chunk of another stream");
    recordsLeft = words[1] >>> 32;
    registersFollow = (words[6] >>> 32 & ChunkFormat.FLAG_REGISTERS) != 0;
    next();
  }

  private void takeRecord() throws RefusalException {
    page = words[0];
    version = words[1];
    expect(page >= 0 && page < pages.geometry().pages(), "page " + page + " does not exist");
    expect(version >= 0, "page " + page + " has the impossible version " + version);
    expecting = Expecting.CONTENT;
  }

  private void takeContent(int count) throws RefusalException {
    expect(
        content.matches(page, version, words, count, scratch),
        "page " + page + " does not hold what its version " + version + " stands for");
    pages.write((int) page, version);
    recordsLeft--;
    next();
  }

  private void takeRegisters() throws RefusalException {
    expect(words[15] == ChunkFormat.check(words, 15), "the registers are damaged");
    expect(words[0] == seed, "the registers are those of another state");
    SequencePoint point = new SequencePoint(words[0], words[1], words[2], pace(3), pace(6));
    registers = new ChunkPlan.Registers(point, words[9], words[10], words[11], words[12]);
    registersFollow = false;
    next();
  }

  private WriteRate pace(int at) {
    return new WriteRate(words[at], words[at + 1], words[at + 2]);
  }

  private void next() {
    if (recordsLeft > 0) {
      expecting = Expecting.RECORD;
    } else if (registersFollow) {
      expecting = Expecting.REGISTERS;
    } else {
      expecting = Expecting.HEADER;
      chunks++;
    }
  }

  private static void expect(boolean holds, String otherwise) throws RefusalException {
    if (!holds) {
      throw new RefusalException(Errno.EINVAL, otherwise);
    }
  }
}
