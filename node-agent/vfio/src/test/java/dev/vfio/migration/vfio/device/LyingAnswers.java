package dev.vfio.migration.vfio.device;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;

/**
 * What a driver that may lie answers. It is honest where the input says nothing, so that the empty
 * input is a driver that keeps to the rules.
 */
public final class LyingAnswers {
  private static final int[] ERRNOS = {1, 4, 5, 6, 11, 12, 14, 16, 19, 22, 25, 42, 95, 110};

  private final FuzzedDataProvider data;

  public LyingAnswers(FuzzedDataProvider data) {
    this.data = data;
  }

  public FuzzedDataProvider data() {
    return data;
  }

  /** Whether the driver does here what it should not. */
  public boolean lies() {
    return data.remainingBytes() > 0 && data.consumeInt(0, 7) == 7;
  }

  /** Refuses an access, or lets it pass. */
  public void refuse() throws AccessException {
    if (!lies()) {
      return;
    }
    switch (data.consumeInt(0, 7)) {
      case 0 -> throw new AccessException(Reason.UNREACHABLE, 0, "it is gone");
      case 1 -> throw new AccessException(Reason.VIOLATION, 0, "it broke the rules");
      case 2, 3 -> throw refused(22);
      case 4 -> throw refused(data.consumeInt(0, 200));
      default -> throw refused(data.pickValue(ERRNOS));
    }
  }

  private static AccessException refused(int errno) {
    return new AccessException(Reason.REFUSED, errno, "refused by the input");
  }

  /** A number that is right, near to what is right, small, or any. */
  public long number(long right) {
    if (!lies()) {
      return right;
    }
    return switch (data.consumeInt(0, 3)) {
      case 0 -> right + data.consumeInt(-9, 9);
      case 1 -> data.consumeInt(0, 1 << 14);
      case 2 -> Long.MAX_VALUE - data.consumeInt(-9, 9);
      default -> data.consumeLong();
    };
  }

  /** How many bytes of an access move: all of them, or fewer. */
  public int moved(int width) {
    return lies() ? data.consumeInt(0, width) : width;
  }
}
