package dev.vfio.migration.agent.journal;

import java.io.IOException;

/** Keeps the highest fencing number over restarts of the agent. */
public interface FencingStore {
  /** The number that was written last; 0 where none was. */
  long read() throws IOException;

  /** Returns once the number is durable. */
  void write(long number) throws IOException;
}
