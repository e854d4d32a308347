package dev.vfio.migration.agent.stream.netty;

import java.io.IOException;

/**
 * What a frame's type leads to. A {@code switch} over the type yields one of these, because the
 * compiler holds only a switch that yields something to naming every type.
 *
 * @param <X> how it fails
 */
@FunctionalInterface
interface FrameWork<X extends IOException> {
  void run() throws X;

  /** That the frame came is all it says. */
  static <X extends IOException> FrameWork<X> none() {
    return () -> {};
  }
}
