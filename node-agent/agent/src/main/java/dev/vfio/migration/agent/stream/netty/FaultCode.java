package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException.Kind;

/** The numbers that REFUSE and ERROR carry for {@link Kind}. */
final class FaultCode {
  private FaultCode() {}

  static int of(Kind kind) {
    return switch (kind) {
      case REFUSED -> 1;
      case BROKEN -> 2;
      case CORRUPT -> 3;
      case UNAUTHENTICATED -> 4;
      case VERSION -> 5;
      case NO_CAPACITY -> 6;
    };
  }

  /** A code that a later version may have added counts as REFUSED: the message says the rest. */
  static Kind kindOf(int code) {
    for (Kind kind : Kind.values()) {
      if (of(kind) == code) {
        return kind;
      }
    }
    return Kind.REFUSED;
  }
}
