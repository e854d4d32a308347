/**
 * The kinds that a CustomResourceDefinition declares: their versions, validation and columns. It
 * turns a definition into resource types and knows no requests.
 */
package dev.vfio.migration.sandbox.apiserver.definition;
