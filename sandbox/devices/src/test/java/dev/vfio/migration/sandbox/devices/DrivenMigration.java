package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A migration as an agent would drive it, from one device's sockets to another's, in one thread.
 * The steps are apart so that tests can come between them.
 */
final class DrivenMigration implements AutoCloseable {
  static final int RUNNING = 1;
  static final int SETUP = 2;
  static final int PRECOPY = 3;
  static final int STOPNCOPY = 4;
  static final int SAVE_COMPLETED = 5;
  static final int RESUME = 6;
  static final int RESUME_COMPLETED = 7;
  static final int FAILED = 8;
  static final int CANCELLED = 9;

  private static final int PAGE = 4096;
  private static final int BITMAP_ROUNDS = 10_000;
  private static final int BUFFER_ROUNDS = 100_000;

  final VfioUserClient source;
  final VfioUserClient destination;
  final LineClient sourceWorkload;
  final LineClient destinationWorkload;
  final List<Integer> chunkSizes = new ArrayList<>();
  private long bitmapReads;

  DrivenMigration(Path sourceDirectory, Path destinationDirectory) throws IOException {
    source = VfioUserClient.connect(sourceDirectory.resolve("gpu-0/device.sock"));
    destination = VfioUserClient.connect(destinationDirectory.resolve("gpu-0/device.sock"));
    sourceWorkload = new LineClient(sourceDirectory.resolve("gpu-0/workload.sock"));
    destinationWorkload = new LineClient(destinationDirectory.resolve("gpu-0/workload.sock"));
  }

  long bitmapReads() {
    return bitmapReads;
  }

  void prepare() throws IOException {
    assertThat(destination.setState(RESUME)).isZero();
    assertThat(source.setState(SETUP)).isZero();
  }

  /**
   * Everything of the windows, then rounds of PRECOPY until less than {@code enough} is pending.
   */
  void precopy(long enough) throws IOException {
    copyWindows(false);
    assertThat(source.setState(PRECOPY)).isZero();
    int rounds = 0;
    do {
      moveBuffers();
      copyWindows(true);
      rounds++;
    } while (source.pending(0) > enough && rounds < 50);
  }

  void pause() throws IOException {
    assertThat(sourceWorkload.ask("{'op':'pause','migration':'test/1'}")).containsEntry("ok", true);
  }

  /** Stops the source and moves the rest. */
  void stopAndCopy() throws IOException {
    assertThat(source.setState(STOPNCOPY)).isZero();
    copyWindows(true);
    moveBuffers();
    assertThat(source.pending(0)).isZero();
  }

  void commit() throws IOException {
    assertThat(destination.setState(RESUME_COMPLETED)).isZero();
    assertThat(destination.setState(RUNNING)).isZero();
    assertThat(destinationWorkload.ask("{'op':'take','migration':'test/1'}"))
        .containsEntry("ok", true);
    assertThat(source.setState(SAVE_COMPLETED)).isZero();
    assertThat(sourceWorkload.ask("{'op':'release','migration':'test/1'}"))
        .containsEntry("ok", true);
  }

  /** Moves buffers until the source has none now. */
  void moveBuffers() throws IOException {
    ByteBuffer chunk = source.getBuffer();
    for (int round = 0; chunk.hasRemaining() && round < BUFFER_ROUNDS; round++) {
      chunkSizes.add(chunk.remaining());
      load(chunk);
      chunk = source.getBuffer();
    }
  }

  /** Hands one chunk to the destination, in pieces if its region is smaller. */
  void load(ByteBuffer chunk) throws IOException {
    long offset = destination.get(36);
    int room =
        (int) (destination.regionInfo(VfioUserClient.MIGRATION_REGION, 32).payload().getLong(16));
    room -= (int) offset;
    for (int done = 0; done < chunk.limit(); done += room) {
      int count = Math.min(room, chunk.limit() - done);
      assertThat(destination.setBuffer(offset, chunk.slice(done, count))).isZero();
    }
  }

  /** Copies the windows, all of them or the pages that the source's dirty log names. */
  void copyWindows(boolean dirtyOnly) throws IOException {
    List<?> from = (List<?>) sourceWorkload.ask("{'op':'describe'}").get("windows");
    List<?> to = (List<?>) destinationWorkload.ask("{'op':'describe'}").get("windows");
    for (int index = 0; index < from.size(); index++) {
      Map<?, ?> window = (Map<?, ?>) from.get(index);
      Path target = Path.of((String) ((Map<?, ?>) to.get(index)).get("file"));
      long address = ((Number) window.get("iova")).longValue();
      long pages = ((Number) window.get("size")).longValue() / PAGE;
      try (FileChannel in = FileChannel.open(Path.of((String) window.get("file")));
          FileChannel out = FileChannel.open(target, StandardOpenOption.WRITE)) {
        if (dirtyOnly) {
          copyDirty(address, pages, in, out);
        } else {
          copyPages(in, out, 0, pages);
        }
      }
    }
  }

  private void copyDirty(long address, long pages, FileChannel in, FileChannel out)
      throws IOException {
    long first = 0;
    for (int round = 0; first < pages && round < BITMAP_ROUNDS; round++) {
      assertThat(source.put(52, address + first * PAGE)).isZero();
      assertThat(source.put(60, pages - first)).isZero();
      long copied = source.get(68);
      bitmapReads++;
      assertThat(copied).isBetween(0L, pages - first);
      if (copied == 0) {
        return;
      }
      int bytes = (int) ((copied + 7) / 8);
      ByteBuffer bitmap =
          source.read(VfioUserClient.MIGRATION_REGION, source.get(36), bytes).payload();
      for (int page = 0; page < copied; page++) {
        if ((bitmap.get(16 + page / 8) >> page % 8 & 1) != 0) {
          copyPages(in, out, first + page, 1);
        }
      }
      first += copied;
    }
  }

  private static void copyPages(FileChannel in, FileChannel out, long first, long count)
      throws IOException {
    long position = first * PAGE;
    long end = position + count * PAGE;
    out.position(position);
    while (position < end) {
      position += in.transferTo(position, end - position, out);
    }
  }

  @Override
  public void close() throws IOException {
    source.close();
    destination.close();
    sourceWorkload.close();
    destinationWorkload.close();
  }
}
