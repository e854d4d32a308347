package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.device.MemoryRange;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The memory that a device is to log writes to: whole pages, sorted, apart from each other, in no
 * more pieces than every kernel accepts. Of more pieces those with the smallest gaps are joined, so
 * this may hold more than was asked for and never less.
 */
final class WatchedMemory {
  /** A piece by its first and last byte, both inside it; unsigned. */
  record Piece(long first, long last) {
    /** Bytes; 0 stands for 2<sup>64</sup>. */
    long length() {
      return last - first + 1;
    }
  }

  private final List<Piece> pieces;

  private WatchedMemory(List<Piece> pieces) {
    this.pieces = List.copyOf(pieces);
  }

  static WatchedMemory none() {
    return new WatchedMemory(List.of());
  }

  /**
   * @param pageSize a power of two
   * @throws IllegalArgumentException where a range is empty or goes beyond 2<sup>64</sup>
   */
  static WatchedMemory of(List<MemoryRange> ranges, int pageSize, int maxPieces) {
    List<Piece> pages =
        ranges.stream()
            .map(range -> pagesOf(range, pageSize))
            .sorted((one, other) -> Long.compareUnsigned(one.first(), other.first()))
            .toList();
    List<Piece> joined = new ArrayList<>();
    for (Piece piece : pages) {
      Piece before = joined.isEmpty() ? null : joined.get(joined.size() - 1);
      // A piece that ends with the last byte of all has no byte behind it.
      boolean touches =
          before != null
              && (before.last() == -1L
                  || Long.compareUnsigned(piece.first(), before.last() + 1) <= 0);
      if (touches) {
        joined.set(joined.size() - 1, new Piece(before.first(), max(before.last(), piece.last())));
      } else {
        joined.add(piece);
      }
    }
    return new WatchedMemory(fewer(joined, maxPieces));
  }

  private static Piece pagesOf(MemoryRange range, int pageSize) {
    long last = range.iova() + range.size() - 1;
    if (range.size() < 1 || Long.compareUnsigned(last, range.iova()) < 0) {
      throw new IllegalArgumentException(
          range.size()
              + " bytes from address "
              + Long.toUnsignedString(range.iova())
              + " are no memory");
    }
    return new Piece(range.iova() & -pageSize, last | (pageSize - 1));
  }

  private static long max(long one, long other) {
    return Long.compareUnsigned(one, other) >= 0 ? one : other;
  }

  /** Closes the smallest gaps: as many as there are pieces too many. */
  private static List<Piece> fewer(List<Piece> pieces, int most) {
    int excess = pieces.size() - most;
    if (excess <= 0) {
      return pieces;
    }
    List<Integer> gaps = new ArrayList<>();
    for (int behind = 0; behind + 1 < pieces.size(); behind++) {
      gaps.add(behind);
    }
    Comparator<Integer> bySize =
        (one, other) -> Long.compareUnsigned(gapBehind(pieces, one), gapBehind(pieces, other));
    gaps.sort(bySize.thenComparing(Comparator.naturalOrder()));
    boolean[] closed = new boolean[pieces.size()];
    gaps.subList(0, excess).forEach(behind -> closed[behind] = true);
    List<Piece> fewer = new ArrayList<>();
    long first = pieces.get(0).first();
    for (int at = 0; at < pieces.size(); at++) {
      if (!closed[at]) {
        fewer.add(new Piece(first, pieces.get(at).last()));
        first = at + 1 < pieces.size() ? pieces.get(at + 1).first() : 0;
      }
    }
    return fewer;
  }

  private static long gapBehind(List<Piece> pieces, int at) {
    return pieces.get(at + 1).first() - pieces.get(at).last();
  }

  List<Piece> pieces() {
    return pieces;
  }

  /**
   * Whether every byte of it is logged.
   *
   * @param bytes at least 1
   */
  boolean covers(long iova, long bytes) {
    long last = iova + bytes - 1;
    return pieces.stream()
        .anyMatch(
            piece ->
                Long.compareUnsigned(piece.first(), iova) <= 0
                    && Long.compareUnsigned(last, piece.last()) <= 0);
  }
}
