package dev.vfio.migration.sandbox.apiserver.store;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * One committed change.
 *
 * @param revision the store's revision after it, rising by one per change
 * @param key which object
 * @param object the object after the change; for a deletion its last content with the deletion's
 *     revision
 * @param previous the object before the change, null for a creation
 * @param deleted whether the object was removed
 */
public record Change(
    long revision, ObjectKey key, ObjectNode object, ObjectNode previous, boolean deleted) {}
