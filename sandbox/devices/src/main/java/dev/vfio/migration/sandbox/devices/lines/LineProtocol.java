package dev.vfio.migration.sandbox.devices.lines;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.io.IOException;
import java.util.Map;

/** Answers requests; called from one thread a connection. */
public interface LineProtocol {
  /**
   * @param request with a string field {@code op}
   * @param reply takes what belongs beside {@code "ok":true}
   * @throws RefusalException becomes {@code {"ok":false,"errno":..,"error":..}}
   */
  void answer(Map<String, Object> request, JsonGenerator reply)
      throws IOException, RefusalException;

  /** The answer to a request that was not refused has been sent. */
  default void answered(Map<String, Object> request) {}
}
