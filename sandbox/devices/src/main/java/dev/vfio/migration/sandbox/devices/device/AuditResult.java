package dev.vfio.migration.sandbox.devices.device;

/**
 * What an audit found. Immutable.
 *
 * @param ok whether every page and the chain are what doing each step exactly once gives
 * @param detail a sentence for people
 * @param step the step that was audited
 * @param pages of device state and DMA window that were compared
 * @param bytes that those pages hold
 */
public record AuditResult(boolean ok, String detail, long step, long pages, long bytes) {}
