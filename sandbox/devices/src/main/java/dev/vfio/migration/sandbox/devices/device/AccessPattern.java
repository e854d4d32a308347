package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.content.Mix;
import dev.vfio.migration.sandbox.devices.content.PageContent;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.content.WriteOrder;

/**
 * What the workload of one seed touches: in which order it writes pages of the device state and of
 * the DMA window, and what the window's pages hold. Immutable.
 *
 * @param window the order in the DMA window; null if there is no window
 * @param windowContent what the window's pages hold in each version
 */
record AccessPattern(WriteOrder state, WriteOrder window, PageContent windowContent) {
  private static final long STATE = 1;
  private static final long WINDOW = 2;

  static AccessPattern of(long seed, StateGeometry geometry, int windowPages) {
    return new AccessPattern(
        new WriteOrder(Mix.of(seed, STATE), geometry.pages()),
        windowPages == 0 ? null : new WriteOrder(Mix.of(seed, WINDOW), windowPages),
        DmaWindow.contentOf(seed));
  }
}
